"use client";

import { useActionState } from "react";
import { requestLink } from "./actions";

export function AskForm({ email, next }: { email?: string; next: string }) {
	const [refused, action] = useActionState(requestLink, undefined);
	return (
		<form action={action}>
			<input type="hidden" name="next" value={next} />
			<label htmlFor="email">Email address</label>
			<input
				id="email"
				name="email"
				type="email"
				autoComplete="email"
				required
				defaultValue={refused?.typed ?? email}
				aria-describedby={refused && "error"}
				aria-invalid={refused && true}
			/>
			{refused && (
				<p className="error" id="error" role="alert">
					{refused.problem}
				</p>
			)}
			<button>Send me a link</button>
		</form>
	);
}
