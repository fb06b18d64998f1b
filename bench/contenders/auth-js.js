import PostgresAdapter from "@auth/pg-adapter";
import { randomBytes } from "node:crypto";

// As many bytes, in the same notation, as Auth.js makes.
const randomToken = () => randomBytes(32).toString("hex");

/** The verification tokens of Auth.js. It must be told whose token it is. */
export const authJsLinks = (pool) => {
	const adapter = PostgresAdapter(pool);
	return {
		links: {
			name: "Auth.js",
			async issue(identifier) {
				const token = randomToken();
				await adapter.createVerificationToken({
					identifier,
					token,
					expires: new Date(Date.now() + 600_000),
				});
				return { identifier, token };
			},
			async validate(link) {
				const used = await adapter.useVerificationToken(link);
				return used && used.expires.valueOf() > Date.now() ? used.identifier : null;
			},
			unknown: (identifier) => ({ identifier, token: randomToken() }),
		},
	};
};
