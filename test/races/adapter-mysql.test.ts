import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

// An app that has lost its database.
const APP = `
import { mysql2 as adapter } from "@lucia-auth/adapter-mysql";
import { idToken, passwordToken } from "@lucia-auth/tokens";
import { mysql2 } from "@lucia-auth/tokens/mysql2";
import lucia from "lucia-auth";

const lost = () => Promise.reject(new Error("connection lost"));
const pool = { query: lost, execute: lost };
const [store, ...names] = process.argv.slice(1);
const source = store === "native" ? mysql2(pool) : lucia({ adapter: adapter(pool), env: "DEV" });
const links = idToken(source, "link", { expiresIn: 60, minInterval: 60 });
const codes = passwordToken(source, "code", { expiresIn: 60 });
for (const name of names) {
	const call = name === "validate" ? codes.validate("123456", "user") : links[name]("user");
	await call.catch(({ message }) => console.log(message));
}
`;

const run = (store: "default" | "native", ...calls: readonly string[]) =>
	promisify(execFile)(process.execPath, ["--input-type=module", "--eval", APP, store, ...calls]);

/** Each of them lists a user's keys. */
const CALLS = [
	"validate",
	"issue",
	"getAllUserTokens",
	"invalidateAllUserTokens",
	"deleteExpiredUserTokens",
];

test.each(CALLS)("a lost connection ends a process with adapter-mysql 1.1.1: %s", async (call) => {
	await expect(run("default", call)).rejects.toMatchObject({
		code: 1,
		stdout: "",
		stderr: expect.stringMatching(/connection lost[^]*getKeysByUserId/) as string,
	});
});

test("a lost connection is an error with mysql2(), and with what lists no keys", async () => {
	const { stdout } = await run("native", ...CALLS);
	expect(stdout).toBe("connection lost\n".repeat(CALLS.length));
	expect((await run("default", "getToken", "invalidate")).stdout).toBe(
		"connection lost\n".repeat(2),
	);
});
