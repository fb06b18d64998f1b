import { html } from "./html.js";
import { clock } from "./parts.js";

const KINDS = { link: "Link", code: "Code" };

/** @typedef {{ kind: "link" | "code", id: string, expiresAt: Date }} Outstanding */

/** @param {Outstanding} token */
const tokenRow = ({ kind, id, expiresAt }) => {
	const name = id.slice(0, 6);
	return html`<tr>
		<th scope="row">${KINDS[kind]} <code>${name}</code></th>
		<td>${clock(expiresAt)}</td>
		<td>
			<form method="post" action="/revoke">
				<input type="hidden" name="id" value="${id}" />
				<button class="quiet">Revoke<span class="visually-hidden"> ${kind} ${name}</span></button>
			</form>
		</td>
	</tr>`;
};

/**
 * @param {string} email
 * @param {readonly Outstanding[]} tokens
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
		<section class="card" aria-labelledby="outstanding">
			<h2 id="outstanding">Outstanding links and codes</h2>
			<p>They were sent to you and are still unused. Anyone who has the link can sign in as you.</p>
			${
				tokens.length === 0
					? html`<p class="empty">There are none.</p>`
					: html`<table>
							<thead>
								<tr>
									<th scope="col">Name</th>
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
				<form class="buttons" method="post" action="/sign-in">
					<input type="hidden" name="email" value="${email}" />
					<button>Send me another link</button>
					<button class="quiet" formaction="/code">Send me a code</button>
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
