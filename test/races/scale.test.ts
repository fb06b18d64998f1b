import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { idToken } from "../../src/index.js";
import { createAuth } from "../support/database.js";
import { intercept } from "../support/faults.js";
import { DATABASES } from "./contenders.js";
import { report } from "./race.js";
import { createUser, NAME, options, storeTokens } from "./tokens.js";

const TOKENS = 10_000;

afterEach(() => {
	vi.useRealTimers();
});

describe.each(DATABASES)(
	"a user with 10,000 tokens on $name",
	({ name, native, isThere, open }) => {
		const openFull = async () => {
			const db = await open();
			onTestFinished(() => db.close());
			await createUser(db, "user");
			await createUser(db, "other");
			await storeTokens(db, "user", TOKENS);
			await storeTokens(db, "other", 3);
			return db;
		};

		test.skipIf(!isThere)(
			"the default store lists, sweeps and revokes them, 8 at once",
			async () => {
				const db = await openFull();
				let underWay = 0;
				let most = 0;
				let started: () => void = () => {};
				const firstDelete = new Promise<void>((resolve) => (started = resolve));
				const { adapter } = db.defaultSource as unknown as {
					adapter: Parameters<typeof intercept>[0];
				};
				const auth = createAuth(() =>
					intercept(adapter, async (method, run) => {
						if (method !== "deleteNonPrimaryKey") return run();
						started();
						most = Math.max(most, ++underWay);
						try {
							return await run();
						} finally {
							underWay--;
						}
					}),
				);
				const handler = idToken(auth, NAME, options);
				const begin = performance.now();
				expect(await handler.getAllUserTokens("user")).toHaveLength(TOKENS);
				const listed = performance.now();
				await handler.deleteExpiredUserTokens("user");
				expect(await db.keys()).toHaveLength(TOKENS + 3);

				const beginRevoke = performance.now();
				let revoked = false;
				const revoke = handler.invalidateAllUserTokens("user").then(() => {
					revoked = true;
				});
				await firstDelete;
				let queries = 0;
				let slowest = 0;
				do {
					const asked = performance.now();
					// At least the first query finishes before the revocation does.
					await db.sql("SELECT 1");
					if (!revoked) queries++;
					slowest = Math.max(slowest, performance.now() - asked);
				} while (!revoked);
				await revoke;
				report(`10,000 tokens, default store on ${name}`, {
					"ms to list": Math.round(listed - begin),
					"ms to revoke": Math.round(performance.now() - beginRevoke),
					"deletes at once": most,
					"other queries meanwhile": queries,
					"ms for the slowest of them": Math.round(slowest),
				});
				expect(most).toBe(8);
				expect(queries).toBeGreaterThan(0);
				expect(await handler.getAllUserTokens("user")).toEqual([]);
				expect(await handler.getAllUserTokens("other")).toHaveLength(3);
			},
		);

		test.skipIf(!isThere)(
			"the native store lists, sweeps and revokes them with one statement each",
			async () => {
				const db = await openFull();
				const handler = idToken(db.nativeSource, NAME, options);
				db.statements.length = 0;
				const begin = performance.now();
				expect(await handler.getAllUserTokens("user")).toHaveLength(TOKENS);
				const listed = performance.now();
				expect(db.statements.splice(0)).toHaveLength(1);
				await handler.deleteExpiredUserTokens("user");
				expect(db.statements.splice(0)).toHaveLength(1);
				expect(await db.keys()).toHaveLength(TOKENS + 3);
				const beginRevoke = performance.now();
				await handler.invalidateAllUserTokens("user");
				const end = performance.now();
				expect(db.statements.splice(0)).toHaveLength(1);
				report(`10,000 tokens, ${native} on ${name}`, {
					"ms to list": Math.round(listed - begin),
					"ms to revoke": Math.round(end - beginRevoke),
				});
				expect(await handler.getAllUserTokens("user")).toEqual([]);
				expect(await handler.getAllUserTokens("other")).toHaveLength(3);
			},
		);
	},
);
