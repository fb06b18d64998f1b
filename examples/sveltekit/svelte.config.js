import adapter from "@sveltejs/adapter-node";

/** @type {import("@sveltejs/kit").Config} */
export default {
	kit: {
		adapter: adapter(),
		csp: {
			directives: {
				"default-src": ["self"],
				// SvelteKit tells screen readers of new pages in an element with a style of its own.
				"style-src-attr": ["unsafe-inline"],
				"base-uri": ["none"],
				"form-action": ["self"],
				// Keeps other sites from framing a page and tricking users into pressing its button.
				"frame-ancestors": ["none"],
			},
		},
	},
};
