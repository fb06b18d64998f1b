import { idToken, passwordToken } from "@lucia-auth/tokens";
import { fork } from "node:child_process";
import { once } from "node:events";
import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connect, createLarge, WAL } from "./growth-databases.js";

/** Nobody's call may wait longer for a sweep, in milliseconds. */
const LIMIT = 50;

/** What the app does between two calls, in milliseconds. */
const PAUSE = 5;

/** Issues and uses tokens until it is told to stop, and notes how long each call took. */
const beAnApp = async (...where) => {
	const db = connect(...where);
	const links = idToken(db.native, "link", { expiresIn: 600 });
	const codes = passwordToken(db.native, "code", { expiresIn: 600 });
	let seen = { times: [], failures: {} };
	const note = async (call) => {
		const start = performance.now();
		const result = await call().catch(({ code, message }) => {
			const failure = code ?? message;
			seen.failures[failure] = (seen.failures[failure] ?? 0) + 1;
		});
		seen.times.push(performance.now() - start);
		await setTimeout(PAUSE);
		return result;
	};
	process.on("message", () => {
		process.send(seen);
		seen = { times: [], failures: {} };
	});
	process.on("disconnect", () => process.exit());
	process.send("ready");
	for (let i = 1; ; i++) {
		const userId = `user${((i * 7919) % 1000) + 1}`;
		const link = await note(() => links.issue(userId));
		if (link) await note(() => links.validate(link));
		const code = await note(() => codes.issue(userId));
		if (code) await note(() => codes.validate(code, userId));
	}
};

const summarize = ({ times, failures }) => ({
	calls: times.length,
	longest: Math.max(0, ...times),
	late: times.filter((time) => time > LIMIT).length,
	failures: Object.entries(failures).flat().join(" "),
});

const measure = async (kind, url, later, { users, expired, before }, setUp = "") => {
	const db = await createLarge(kind, url, later, setUp);
	await db.addUsers(1, users);
	await db.addExpired(1, expired);
	await db.analyze();
	const app = fork(fileURLToPath(import.meta.url), [kind, url ?? "", db.database, setUp]);
	later(async () => app.kill());
	const ended = once(app, "exit").then(() => {
		throw new Error("The app has ended");
	});
	const answer = () => Promise.race([once(app, "message"), ended]);
	await answer();
	const seen = async () => {
		app.send("report");
		return summarize((await answer())[0]);
	};
	await seen();
	await setTimeout(before);
	const alone = await seen();
	let longestBatch = 0;
	const store = {
		...db.native,
		async deleteExpired(...batch) {
			const start = performance.now();
			const answer = await db.native.deleteExpired(...batch);
			longestBatch = Math.max(longestBatch, performance.now() - start);
			return answer;
		},
	};
	const start = performance.now();
	const sweep = idToken(store, "link").deleteExpiredTokens();
	const deleted = await sweep.catch(({ code }) => code);
	const seconds = (performance.now() - start) / 1000;
	// For the end of a call that waited for it.
	await setTimeout(2 * LIMIT);
	const during = await seen();
	return {
		settings: setUp,
		deleted,
		seconds,
		...during,
		"longest batch": longestBatch,
		"longest before": alone.longest,
		"late before": alone.late,
	};
};

// better-sqlite3 waits for five seconds if it is not told, and libsql not at all.
const SETTINGS = {
	"better-sqlite3": ["", WAL],
	libsql: [WAL, `${WAL}; PRAGMA busy_timeout = 5000`],
};

/**
 * Sweeps a table while another process issues and uses tokens. Before, that process has the table for
 * itself: what it waits for then is the disk.
 */
export const measureSweep = async (kind, url, later, plan) => {
	const rows = [];
	for (const setUp of SETTINGS[kind] ?? [undefined]) {
		rows.push(await measure(kind, url, later, plan, setUp));
	}
	return [{ part: "sweep", database: kind, rows }];
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await beAnApp(...process.argv.slice(2));
