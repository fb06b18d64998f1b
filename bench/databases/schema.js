/** Enough users for every call in flight, and every code of a turn, to have its own. */
export const USERS = Array.from({ length: 256 }, (_, i) => `user${i}@example.com`);

/** Someone who has no tokens. */
export const NOBODY = "nobody@example.com";

/** Other people, each of whom has ten tokens in the table, as in a real one. */
export const OTHERS = Array.from({ length: 1_000 }, (_, i) => `other${i}@example.com`);
export const TOKENS_OF_OTHERS = 10;

/** All who are in `auth_user`. */
export const EVERYONE = [...USERS, ...OTHERS, NOBODY];

/** Lucia's tables, by its documentation, with an index to find a user's keys by. */
export const luciaSchema = ({ text, boolean }) => [
	`CREATE TABLE auth_user (id ${text} NOT NULL PRIMARY KEY)`,
	`CREATE TABLE auth_key (
		id ${text} NOT NULL PRIMARY KEY,
		user_id ${text} NOT NULL,
		primary_key ${boolean} NOT NULL,
		hashed_password ${text},
		expires BIGINT,
		FOREIGN KEY (user_id) REFERENCES auth_user (id)
	)`,
	"CREATE INDEX auth_key_user_id ON auth_key (user_id)",
];

/** A name of the run's own. */
export const uniqueName = () => `lucia_tokens_bench_${crypto.randomUUID().slice(0, 8)}`;

/** Where to connect, as a driver wants to have it. */
export const toAddress = (url, defaultPort) => {
	const { hostname, port, username, password } = new URL(url);
	return {
		// An IPv6 address has brackets in a URL alone.
		host: hostname.replace(/^\[|\]$/g, ""),
		port: Number(port || defaultPort),
		user: decodeURIComponent(username),
		password: decodeURIComponent(password),
	};
};

const CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/** A random token like this library's, made where no clock runs. */
export const randomToken = () => {
	let token = "";
	while (token.length < 43) token += CHARACTERS[Math.floor(Math.random() * CHARACTERS.length)];
	return token;
};

/** A random code like this library's. */
export const randomCode = () => String(Math.floor(Math.random() * 1e8)).padStart(8, "0");

/** A code that is wrong where `code` is right. */
export const otherCode = (code) => code.slice(0, -1) + ((Number(code.at(-1)) + 1) % 10);

/** `count` rows for auth_key, in parts that fit one statement. */
export const luciaRows = function* (userIds, count, rowsPerPart = 1000) {
	const expires = Date.now() + 86_400_000;
	let part = [];
	for (const userId of userIds) {
		for (let i = 0; i < count; i++) {
			part.push([`bench:${randomToken()}`, userId, expires]);
			if (part.length === rowsPerPart) {
				yield part;
				part = [];
			}
		}
	}
	if (part.length > 0) yield part;
};
