import { execFile } from "node:child_process";
import { describe, expect, onTestFinished, test } from "vitest";
import { createUser } from "../races/tokens.js";
import { openMysql } from "../support/databases.js";
import { startMariadb } from "../support/mariadb.js";
import { areInstalled } from "./programs.js";

// An app whose statements wait for a table that another client has locked. Meanwhile, that client cuts the
// app's connection, or kills the server.
const APP = `
import { readFileSync } from "node:fs";
import { mysql2 as adapter } from "@lucia-auth/adapter-mysql";
import { idToken, passwordToken } from "@lucia-auth/tokens";
import { mysql2 } from "@lucia-auth/tokens/mysql2";
import lucia from "lucia-auth";
import mysql from "mysql2/promise";

const [url, store, fault, ...names] = process.argv.slice(1);
const admin = await mysql.createConnection(url);
admin.on("error", () => {});
const pool = mysql.createPool({ uri: url, connectionLimit: 1 });
const source = store === "native" ? mysql2(pool) : lucia({ adapter: adapter(pool), env: "DEV" });
const links = idToken(source, "link", { expiresIn: 60, minInterval: 60 });
const codes = passwordToken(source, "code", { expiresIn: 60 });
const calls = {
	validate: () => codes.validate("123456", "user"),
	issue: () => links.issue("user"),
	getAllUserTokens: () => links.getAllUserTokens("user"),
	invalidateAllUserTokens: () => links.invalidateAllUserTokens("user"),
	deleteExpiredUserTokens: () => links.deleteExpiredUserTokens("user"),
};
const isWaiting = "SELECT 1 FROM information_schema.processlist WHERE id = ? AND state LIKE 'Waiting for %lock'";
const [[{ file }]] = await admin.query("SELECT @@pid_file AS file");

// mysql2() asks for the server's version once.
await calls.validate().catch(() => {});
for (const name of names) {
	const [[{ id }]] = await pool.query("SELECT CONNECTION_ID() AS id");
	await admin.query("LOCK TABLES auth_key WRITE");
	const call = calls[name]().catch(({ message }) => console.log(name + ": " + message));
	while ((await admin.query(isWaiting, [id]))[0].length === 0);
	if (fault === "kill") process.kill(Number(readFileSync(file, "utf8")), "SIGKILL");
	else await admin.query("KILL CONNECTION " + id);
	await call;
	if (fault === "cut") await admin.query("UNLOCK TABLES");
}
process.exit();
`;

const LOST = "Connection lost: The server closed the connection.";

/** Each of them lists a user's keys. */
const CALLS = [
	"validate",
	"issue",
	"getAllUserTokens",
	"invalidateAllUserTokens",
	"deleteExpiredUserTokens",
];

interface Ended {
	readonly code: unknown;
	readonly output: string;
	readonly errors: string;
}

const runApp = (...args: string[]): Promise<Ended> =>
	new Promise((resolve) => {
		const all = ["--input-type=module", "--eval", APP, ...args];
		execFile(process.execPath, all, (error, output, errors) =>
			resolve({ code: error?.code ?? 0, output, errors }),
		);
	});

const expectEnded = ({ code, output, errors }: Ended): void => {
	expect([code, output]).toEqual([1, ""]);
	expect(errors).toContain(LOST);
	expect(errors).toContain("Object.getKeysByUserId");
};

describe.skipIf(!areInstalled("mariadb-server"))("while a user's keys are listed", () => {
	const open = async () => {
		const server = await startMariadb();
		onTestFinished(() => server.stop());
		const db = await openMysql(server.url);
		onTestFinished(() => db.pool.end());
		await createUser(db, "user");
		return { server, url: new URL(db.name, server.url).href };
	};

	test("a lost connection ends a process with adapter-mysql 1.1.1", async () => {
		const { url } = await open();
		for (const call of CALLS) expectEnded(await runApp(url, "default", "cut", call));
	});

	test("mysql2() throws the error of a lost connection", async () => {
		const { url } = await open();
		expect(await runApp(url, "native", "cut", ...CALLS)).toEqual({
			code: 0,
			output: CALLS.map((call) => `${call}: ${LOST}\n`).join(""),
			errors: "",
		});
	});

	test("a server that is killed ends a process with adapter-mysql 1.1.1, and not one with mysql2()", async () => {
		const { server, url } = await open();
		expectEnded(await runApp(url, "default", "kill", "invalidateAllUserTokens"));
		await server.restart();
		const { code, output } = await runApp(url, "native", "kill", "invalidateAllUserTokens");
		expect([code, output]).toEqual([0, `invalidateAllUserTokens: ${LOST}\n`]);
	});
});
