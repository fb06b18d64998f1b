/** @type {Record<string, string>} */
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text that is already HTML. Only `html` creates it. */
export class Html {
	#text;

	/** @param {string} text */
	constructor(text) {
		this.#text = text;
	}

	toString() {
		return this.#text;
	}
}

/** @param {unknown} value @returns {string} */
const toHtml = (value) => {
	if (value instanceof Html) return value.toString();
	if (Array.isArray(value)) return value.map(toHtml).join("");
	if (value === undefined || value === null || value === false) return "";
	return String(value).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
};

/**
 * An HTML template. It escapes every value, for text and for quoted attributes, unless the value is
 * already `Html`. It joins lists, and leaves out `undefined`, `null` and `false`.
 *
 * @param {TemplateStringsArray} strings
 * @param {unknown[]} values
 */
export const html = (strings, ...values) =>
	new Html(strings.reduce((text, string, index) => text + toHtml(values[index - 1]) + string));
