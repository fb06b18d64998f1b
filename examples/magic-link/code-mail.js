// @ts-check
import { grouped } from "./code.js";
import { inWords } from "./public/duration.js";

/**
 * The code is in the text only, because locked phones show subjects.
 *
 * @param {string} code
 * @param {number} expiresIn in seconds
 */
export const codeMail = (code, expiresIn) => ({
	subject: "Your sign-in code",
	text: `Hello,

your sign-in code is:

${grouped(code)}

It works once, for ${inWords(expiresIn * 1000)}. Enter it in the browser where you requested it, and never share it.

If you did not request it, ignore this mail: nobody can sign in without this code.
`,
});
