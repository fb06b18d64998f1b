// @ts-check
import { fingerprint } from "./fingerprint.js";
import { Html, html } from "./html.js";
import { inWords, timeLeft } from "./public/duration.js";

/** @typedef {{ title: string, main: Html, wide?: boolean }} Page */

const DOCTYPE = new Html("<!doctype html>");

/**
 * What all pages have around them.
 *
 * @param {Page} page
 * @param {{ mailbox: boolean }} options whether there is a mailbox to go to
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

/** @param {{ refused?: string | undefined, label?: string }} [options] `refused`: what was typed */
const emailForm = ({ refused, label = "Send me a link" } = {}) =>
	html`<form method="post" action="/sign-in" novalidate>
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
	</form>`;

/** @param {Date} expiresAt */
const clock = (expiresAt) => {
	const left = expiresAt.getTime() - Date.now();
	return html`<time datetime="${expiresAt.toISOString()}" data-milliseconds-left="${left}"
		>${timeLeft(left)}</time
	>`;
};

/** @param {{ refused?: string }} [options] `refused`: what was typed and is no address */
export const signIn = ({ refused } = {}) => ({
	title: refused === undefined ? "Sign in" : "Error: Sign in",
	main: html`<div class="card">
		<h1>Sign in</h1>
		<p>No password needed. Enter your address and get a link that signs you in.</p>
		${emailForm({ refused })}
	</div>`,
});

/** @param {string} email @param {number} expiresIn in seconds @param {boolean} mailbox */
export const linkSent = (email, expiresIn, mailbox) => ({
	title: "Check your mail",
	main: html`<div class="card">
		<h1>Check your mail</h1>
		<p>A link is on its way to <strong>${email}</strong>.</p>
		<p>It works once, for ${inWords(expiresIn * 1000)}. You can close this page.</p>
		${
			mailbox &&
			html`<p class="hint">This is a demo: its mail goes to <a href="/mailbox">the mailbox</a>.</p>`
		}
		<p><a href="/">Use another address</a></p>
	</div>`,
});

/** @param {string} email */
export const mailFailed = (email) => ({
	title: "The mail could not be sent",
	main: html`<div class="card">
		<h1>The mail could not be sent</h1>
		<p>We could not send a link to <strong>${email}</strong>. Please try again in a while.</p>
		${emailForm({ label: "Try again" })}
	</div>`,
});

/**
 * Says who will be signed in, lest somebody presses the button on a link that another has sent them.
 *
 * @param {string} email
 * @param {import("@lucia-auth/tokens").Token} token
 */
export const confirm = (email, token) => ({
	title: "Confirm to sign in",
	main: html`<div class="card">
		<h1>One more step</h1>
		<p>Press the button to sign in as <strong>${email}</strong>.</p>
		<form method="post"><button>Sign in</button></form>
		<p class="hint">It works once. Time left: ${clock(token.expiresAt)}</p>
	</div>`,
});

/** @param {string} [signedInAs] the user that the browser is signed in as */
export const usedLink = (signedInAs) => ({
	title: "This link does not work",
	main: html`<div class="card">
		<h1>This link does not work</h1>
		<p>It has been used already or is not valid. A link works once only.</p>
		${
			signedInAs !== undefined
				? html`<p class="notice">You are signed in already, as <strong>${signedInAs}</strong>.</p>
						<p><a class="button" href="/">Go to your page</a></p>`
				: emailForm({ label: "Send me a new link" })
		}
	</div>`,
});

export const expiredLink = () => ({
	title: "This link has expired",
	main: html`<div class="card">
		<h1>This link has expired</h1>
		<p>Its time is over, and it was not used. Get a new one:</p>
		${emailForm({ label: "Send me a new link" })}
	</div>`,
});

/** @param {import("@lucia-auth/tokens").Token} token */
const tokenRow = (token) => {
	const id = fingerprint(token);
	const name = id.slice(0, 6);
	return html`<tr>
		<th scope="row"><code>${name}</code></th>
		<td>${clock(token.expiresAt)}</td>
		<td>
			<form method="post" action="/revoke">
				<input type="hidden" name="link" value="${id}" />
				<button class="quiet">Revoke<span class="visually-hidden"> link ${name}</span></button>
			</form>
		</td>
	</tr>`;
};

/**
 * @param {string} email
 * @param {readonly import("@lucia-auth/tokens").Token[]} tokens
 */
export const home = (email, tokens) => ({
	title: "Home",
	wide: true,
	main: html`<div class="card">
			<h1>You are signed in</h1>
			<div class="row">
				<p>as <strong>${email}</strong></p>
				<form method="post" action="/sign-out"><button class="quiet">Sign out</button></form>
			</div>
		</div>
		<section class="card" aria-labelledby="links">
			<h2 id="links">Outstanding links</h2>
			<p>Links that were sent to you and not used. Whoever has one can sign in as you.</p>
			${
				tokens.length === 0
					? html`<p class="empty">There are none.</p>`
					: html`<table>
							<thead>
								<tr>
									<th scope="col">Link</th>
									<th scope="col">Time left</th>
									<th scope="col"><span class="visually-hidden">Action</span></th>
								</tr>
							</thead>
							<tbody>
								${tokens.map(tokenRow)}
							</tbody>
						</table>`
			}
			<div class="row">
				<form method="post" action="/sign-in">
					<input type="hidden" name="email" value="${email}" />
					<button>Send me another link</button>
				</form>
				${
					tokens.length > 0 &&
					html`<form method="post" action="/revoke-all">
						<button class="danger">Revoke all</button>
					</form>`
				}
			</div>
		</section>`,
});

/** @param {string} text @param {string} baseUrl */
const withLinks = (text, baseUrl) =>
	text
		.split(/(https?:\/\/\S+)/)
		.map((part) => (part.startsWith(`${baseUrl}/`) ? html`<a href="${part}">${part}</a>` : part));

/**
 * @param {readonly import("./mail.js").ReceivedMail[]} mails
 * @param {string} baseUrl
 */
export const mailbox = (mails, baseUrl) => ({
	title: "Mailbox",
	wide: true,
	main: html`<h1>Mailbox</h1>
		<p>All mail that the demo has sent since it was started, the newest first.</p>
		${
			mails.length === 0 &&
			html`<div class="card">
				<p class="empty">No mail yet. <a href="/">Ask for a link</a>.</p>
			</div>`
		}
		${mails.map(
			({ to, subject, text, receivedAt }) =>
				html`<article class="card mail">
					<h2>${subject}</h2>
					<p class="hint">
						To <strong>${to}</strong> at
						<time datetime="${receivedAt.toISOString()}"
							>${receivedAt.toISOString().slice(11, 19)} UTC</time
						>
					</p>
					<p class="text">${withLinks(text.trim(), baseUrl)}</p>
				</article>`,
		)}`,
});

/** @param {string} title @param {unknown} text */
const message = (title, text) => ({
	title,
	main: html`<div class="card">
		<h1>${title}</h1>
		<p>${text}</p>
		<p><a class="button" href="/">Go to the start page</a></p>
	</div>`,
});

/** @param {string} baseUrl */
export const foreignOrigin = (baseUrl) => ({
	title: "This request was refused",
	main: html`<div class="card">
		<h1>This request was refused</h1>
		<p>
			It did not come from <code>${baseUrl}</code>, so nothing was changed. Open that address and
			try again.
		</p>
		<p><a class="button" href="${baseUrl}/">Open ${baseUrl}</a></p>
	</div>`,
});

export const badRequest = () =>
	message("This request can't be read", "Something in it is malformed or too long.");

export const notFound = () => message("There is no such page", "The address may be mistyped.");

export const serverError = () =>
	message("Something went wrong", "The fault is ours, not yours. Please try again in a while.");
