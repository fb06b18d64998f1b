// @ts-check
import { html } from "../html.js";

/**
 * The two ways in: the path that an address is sent to, and what its button says.
 *
 * @type {Record<"link" | "code", { action: string, label: string }>}
 */
const WAYS = {
	link: { action: "/sign-in", label: "Send me a link" },
	code: { action: "/code", label: "Send me a code" },
};

/**
 * Asks for an address, to send a link or a code to. Both buttons belong to one form, so that an
 * address is typed once; the Enter key presses the first.
 *
 * @param {object} [options]
 * @param {string | undefined} [options.refused] what was typed and is no address
 * @param {"link" | "code"} [options.first] the way whose button comes first
 * @param {string | undefined} [options.label] what the first button says
 */
export const emailForm = ({ refused, first = "link", label = WAYS[first].label } = {}) => {
	const other = WAYS[first === "link" ? "code" : "link"];
	return html`<form method="post" action="${WAYS[first].action}" novalidate>
		<label for="email">E-mail address</label>
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
				That is not an e-mail address. It should look like <code>you@example.com</code>.
			</p>`
		}
		<button>${label}</button>
		<button class="quiet" formaction="${other.action}">${other.label}</button>
	</form>`;
};
