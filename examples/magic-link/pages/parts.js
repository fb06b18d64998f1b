import { timeLeft } from "../public/duration.js";
import { Html, html } from "./html.js";

/** @typedef {{ title: string, main: Html, wide?: boolean }} Page */

const DOCTYPE = new Html("<!doctype html>");

/**
 * The frame that all pages share.
 *
 * @param {Page} page
 * @param {{ mailbox: boolean }} options whether the demo has a mailbox
 */
export const layout = ({ title, main, wide = false }, { mailbox }) =>
	html`${DOCTYPE}
		<html lang="en">
			<head>
				<meta charset="utf-8" />
				<meta name="viewport" content="width=device-width, initial-scale=1" />
				<meta name="color-scheme" content="light dark" />
				<title>${title} · Magic link demo</title>
				<link rel="icon" href="/icon.svg" type="image/svg+xml" />
				<link rel="stylesheet" href="/style.css" />
				<script type="module" src="/app.js"></script>
			</head>
			<body>
				<header>
					<a class="brand" href="/"
						><img src="/icon.svg" alt="" width="28" height="28" />Magic link</a
					>
					<nav aria-label="Main">
						<a href="/">Home</a>
						${mailbox && html`<a href="/mailbox">Mailbox</a>`}
					</nav>
				</header>
				<main class="${wide ? "wide" : "narrow"}">${main}</main>
				<footer>
					<p>A demo of <code>@lucia-auth/tokens</code> with Lucia and Express.</p>
				</footer>
			</body>
		</html>`;

/**
 * The time left. The browser counts it down.
 *
 * @param {Date} expiresAt
 */
export const clock = (expiresAt) => {
	const left = expiresAt.getTime() - Date.now();
	return html`<time datetime="${expiresAt.toISOString()}" data-milliseconds-left="${left}"
		>${timeLeft(left)}</time
	>`;
};
