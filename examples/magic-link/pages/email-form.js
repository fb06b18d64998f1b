// @ts-check
import { html } from "../html.js";

/**
 * The two ways to sign in: the path that receives the address, and the label of its button.
 *
 * @type {Record<"link" | "code", { action: string, label: string }>}
 */
const WAYS = {
	link: { action: "/sign-in", label: "Send me a link" },
	code: { action: "/code", label: "Send me a code" },
};

/**
 * Asks for the address to send a link or a code to. Both buttons belong to one form, so that users
 * type their address once. The Enter key presses the first button.
 *
 * @param {object} [options]
 * @param {string | undefined} [options.refused] what was entered and is not an address
 * @param {"link" | "code"} [options.first] which button comes first
 * @param {string | undefined} [options.label] the label of the first button
 */
export const emailForm = ({ refused, first = "link", label = WAYS[first].label } = {}) => {
	const other = WAYS[first === "link" ? "code" : "link"];
	return html`<form method="post" action="${WAYS[first].action}" novalidate>
		<label for="email">Email address</label>
		<input
			id="email"
			name="email"
			type="email"
			autocomplete="email"
			inputmode="email"
			spellcheck="false"
			placeholder="you@example.com"
			maxlength="254"
			required
			value="${refused}"
			${refused !== undefined && html`aria-invalid="true" aria-describedby="email-error" autofocus`}
		/>
		${
			refused !== undefined &&
			html`<p class="error" id="email-error">
				That is not an email address. It should look like <code>you@example.com</code>.
			</p>`
		}
		<button>${label}</button>
		<button class="quiet" formaction="${other.action}">${other.label}</button>
	</form>`;
};
