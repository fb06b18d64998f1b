// @ts-check
import { grouped } from "./code.js";
import { inWords } from "./public/duration.js";

/**
 * The code stands in the text alone: a subject is shown on locked telephones.
 *
 * @param {string} code
 * @param {number} expiresIn in seconds
 */
export const codeMail = (code, expiresIn) => ({
	subject: "Your sign-in code",
	text: `Hello,

this is your code to sign in:

${grouped(code)}

It works once, for ${inWords(expiresIn * 1000)}. Type it where you asked for it, and tell it nobody.

If you did not ask for it, you need not do anything: nobody gets in without this code.
`,
});
