// @ts-check

/** @type {Record<string, string>} */
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text that is HTML already. Only `html` makes it. */
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
 * A template of HTML. Every value is escaped, for text and for quoted attributes, unless it is
 * `Html` itself. Lists are joined; `undefined`, `null` and `false` are left out.
 *
 * @param {TemplateStringsArray} strings
 * @param {unknown[]} values
 */
export const html = (strings, ...values) =>
	new Html(strings.reduce((text, string, index) => text + toHtml(values[index - 1]) + string));
