import { idToken, passwordToken } from "@lucia-auth/tokens";
import lucia from "lucia-auth";
import { performance } from "node:perf_hooks";
import { median } from "simple-statistics";
import { otherCode } from "./databases/schema.js";
import { createLarge, WAL } from "./growth-databases.js";

/** A user who has many tokens. */
const HOARDER = "user1";

/** A file that large is nobody's. */
const MOST_IN_A_FILE = 2e6;

// PostgreSQL keeps a plan at the sixth call on a connection.
const WARM_UP = 6;
const LEAST = 3;

/** Median milliseconds of as many calls as there is time for. */
const time = async (calls, milliseconds, call, before = () => {}) => {
	const times = [];
	const end = performance.now() + milliseconds;
	for (let i = 0; i < calls && (i < LEAST || performance.now() < end); i++) {
		await before();
		const start = performance.now();
		await call(i);
		times.push(performance.now() - start);
	}
	return median(times.slice(times.length > 2 * WARM_UP ? WARM_UP : 0));
};

let names = 0;

/** Milliseconds of each operation, one call after the other, each for another user. */
const measureOperations = async (db, source, users, { calls, milliseconds, most }) => {
	const options = { expiresIn: 600 };
	const links = idToken(source, "link", options);
	const three = idToken(source, "link", { ...options, maxTokensPerUser: 3 });
	const spaced = idToken(source, `spaced${++names}`, { ...options, minInterval: 60 });
	const codes = passwordToken(source, "code", options);
	const user = (i) => `user${2 + ((i * 7919) % (users - 1))}`;
	const guess = (code, i) =>
		codes.validate(code, user(i)).catch(({ message }) => {
			if (message !== "INVALID_TOKEN") throw new Error(message);
		});
	const tokens = [];
	const issued = [];
	const refill = () => db.addLinks(HOARDER, most);
	// The default store deletes one by one.
	const isNative = source === db.native;
	const operations = [
		["issue a link", async (i) => (tokens[i] = await links.issue(user(i)))],
		["use a link", (i) => links.validate(tokens[i]), () => tokens.length],
		["issue a code", async (i) => (issued[i] = `${await codes.issue(user(i))}`)],
		["wrong code", (i) => guess(otherCode(issued[i]), i), () => issued.length],
		["right code", (i) => codes.validate(issued[i], user(i)), () => issued.length],
		["maxTokensPerUser", (i) => three.issue(user(i))],
		["minInterval", (i) => spaced.issue(user(i))],
		["list", (i) => links.getAllUserTokens(user(i))],
		["sweep a user", (i) => links.deleteExpiredUserTokens(user(i))],
		["maxTokensPerUser, many", () => three.issue(HOARDER), () => (isNative ? LEAST : 1), refill],
		["list, many", () => links.getAllUserTokens(HOARDER)],
	];
	const result = {};
	await refill();
	for (const [name, call, atMost = () => calls, before] of operations) {
		result[name] = await time(Math.min(calls, atMost()), milliseconds, call, before);
		if (name.startsWith("max") && before) await refill();
	}
	await links.invalidateAllUserTokens(HOARDER);
	return result;
};

/**
 * Measures each operation in a table that grows, with and without an index on `user_id`. Four rows in five
 * are logins, and the fifth is a token that has expired.
 */
export const measureGrowth = async (kind, url, later, plan) => {
	if (kind === "libsql") return [];
	const db = await createLarge(kind, url, later, WAL);
	const stores = { native: db.native, default: lucia({ adapter: db.adapter, env: "PROD" }) };
	const rows = [];
	let users = 0;
	for (const size of plan.sizes) {
		const inTable = kind === "better-sqlite3" ? Math.min(size, MOST_IN_A_FILE) : size;
		const more = inTable * 0.8;
		await db.addUsers(users + 1, more);
		await db.addExpired(users / 4 + 1, inTable * 0.2);
		users = more;
		for (const index of [true, false]) {
			if (!index) await db.dropIndex();
			await db.analyze();
			for (const [store, source] of Object.entries(stores)) {
				console.error(`${kind}, growth: ${inTable} rows, ${store}${index ? "" : ", no index"}`);
				const milliseconds = await measureOperations(db, source, users, plan);
				rows.push({ store, index, rows: inTable, ...milliseconds });
			}
		}
		await db.addIndex();
	}
	return [{ part: "growth", database: kind, rows }];
};
