import Link from "next/link";
import type { ReactNode } from "react";

export default function Layout({ children }: { children: ReactNode }) {
	return (
		<html lang="en">
			<head>
				<link rel="icon" href="/icon.svg" type="image/svg+xml" />
				<link rel="stylesheet" href="/style.css" />
				<script src="/submit-once.js" />
			</head>
			<body>
				<nav>
					<Link href="/">Home</Link> <Link href="/mailbox">Mailbox</Link>
				</nav>
				<main>{children}</main>
			</body>
		</html>
	);
}
