import { idToken, passwordToken } from "@lucia-auth/tokens";
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connect, randomToken, USERS } from "./databases.js";
import { WrongResult } from "./turns.js";

/** What the app does between two calls, in milliseconds. */
const PAUSE = 5;

/** Issues and uses tokens until its parent ends it, and notes how long each call took. */
const beAnApp = async (name, url) => {
	const { native } = connect(name, url);
	const links = idToken(native, "link", { expiresIn: 600 });
	const codes = passwordToken(native, "code", { expiresIn: 600 });
	let times = [];
	const note = async (call) => {
		const start = performance.now();
		const result = await call();
		times.push(performance.now() - start);
		await setTimeout(PAUSE);
		return result;
	};
	process.on("message", () => {
		process.send({ calls: times.length, longest: Math.round(Math.max(0, ...times)) });
		times = [];
	});
	process.on("disconnect", () => process.exit());
	process.send("ready");
	for (let i = 0; ; i++) {
		const userId = USERS[i % USERS.length];
		const link = await note(() => links.issue(userId));
		await note(() => links.validate(link));
		const code = await note(() => codes.issue(userId));
		await note(() => codes.validate(code, userId));
	}
};

/** Sweeps expired tokens while another process issues and uses tokens, which it did alone before. */
export const measureSweep = async (database, _contenders, { expired, alone }, later) => {
	await database.empty();
	const ids = Array.from({ length: expired }, () => `link:${randomToken()}`);
	await database.addKeys(ids, undefined, Date.now() - 86_400_000);
	await database.settle();
	const app = fork(fileURLToPath(import.meta.url), [database.name, database.url]);
	later(async () => app.kill());
	const ended = once(app, "exit").then(() => {
		throw new Error("The app has ended");
	});
	const next = async () => (await Promise.race([once(app, "message"), ended]))[0];
	await next();
	const seen = async () => {
		app.send("report");
		return next();
	};
	await setTimeout(alone / 4);
	await seen();
	await setTimeout(alone);
	const before = await seen();
	const start = performance.now();
	const deleted = await idToken(database.native, "link").deleteExpiredTokens();
	const seconds = (performance.now() - start) / 1000;
	const during = await seen();
	if (deleted !== expired) throw new WrongResult(`swept ${deleted} of ${expired} tokens`);
	return [{ deleted, perSecond: Math.round(deleted / seconds), ...during, before: before.longest }];
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await beAnApp(...process.argv.slice(2));
