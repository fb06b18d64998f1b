// @ts-check
import { inWords } from "./public/duration.js";

/**
 * @param {string} link
 * @param {number} expiresIn in seconds
 */
export const linkMail = (link, expiresIn) => ({
	subject: "Your sign-in link",
	text: `Hello,

open this link and press the button to sign in:

${link}

It works once, for ${inWords(expiresIn * 1000)}.

If you did not request it, ignore this mail: nobody can sign in without this link.
`,
});
