// @ts-check
import { html } from "../html.js";
import { timeLeft } from "../public/duration.js";

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
