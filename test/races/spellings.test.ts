import { describe, expect, onTestFinished, test } from "vitest";
import { passwordToken } from "../../src/index.js";
import { type Contender, SHARED, type Shared } from "./contenders.js";
import { type Job, startRacer } from "./racers.js";
import { createUser, EXPIRES_IN, NAME } from "./tokens.js";

// Databases find a user under many spellings of an id. Only the one that is stored is the user.

const PROCESSES = 4;
const MAX_ATTEMPTS = 5;

const UUID = "0c8b7d6e-5f4a-4321-abcd-ef0123456789";

interface Spellings {
	readonly userId: string;
	/** Other spellings, under which the database finds the user. */
	readonly others: readonly string[];
	/** Statements that make the columns what finds them. */
	readonly columns: readonly string[];
}

const SPELLINGS: Record<string, Spellings> = {
	PostgreSQL: {
		userId: UUID,
		others: [UUID.toUpperCase(), UUID.replaceAll("-", ""), `{${UUID}}`],
		columns: [
			"ALTER TABLE auth_key DROP CONSTRAINT auth_key_user_id_fkey",
			"ALTER TABLE auth_session DROP CONSTRAINT auth_session_user_id_fkey",
			"ALTER TABLE auth_user ALTER id TYPE uuid USING id::uuid",
			"ALTER TABLE auth_key ALTER user_id TYPE uuid USING user_id::uuid",
			"ALTER TABLE auth_key ADD FOREIGN KEY (user_id) REFERENCES auth_user (id)",
		],
	},
	"MySQL or MariaDB": {
		userId: "lookalike",
		others: ["LOOKALIKE", "lookalike ", "lóokalike"],
		columns: [
			"ALTER TABLE auth_key DROP FOREIGN KEY auth_key_ibfk_1",
			"ALTER TABLE auth_session DROP FOREIGN KEY auth_session_ibfk_1",
			"ALTER TABLE auth_user CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
			"ALTER TABLE auth_key CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
			"ALTER TABLE auth_key ADD FOREIGN KEY (user_id) REFERENCES auth_user (id)",
		],
	},
};

const count = (outcomes: readonly string[]): Record<string, number> => {
	const counts: Record<string, number> = {};
	for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
	return counts;
};

describe.each(Object.entries(SPELLINGS))(
	"four processes spell a user in four ways on %s",
	(database, { userId, others, columns }) => {
		const start = async ({ store, open }: Contender<Shared>) => {
			const db = await open();
			onTestFinished(() => db.close());
			for (const statement of columns) await db.sql(statement);
			await createUser(db, userId);
			const job: Job = { connection: db.connection, store, version: "current", name: NAME };
			const racers = await Promise.all(Array.from({ length: PROCESSES }, () => startRacer(job)));
			return { db, racers };
		};
		const contenders = SHARED.filter(({ name }) => name.endsWith(` on ${database}`));

		for (const contender of contenders) {
			test.skipIf(!contender.isThere)(`one interval: ${contender.name}`, async () => {
				const { db, racers } = await start(contender);
				// The database does find the user.
				for (const other of others) {
					const found = await db.sql("SELECT id FROM auth_user WHERE id = ?", [other]);
					expect(found).toEqual([{ id: userId }]);
				}
				const results = racers.flatMap((racer) =>
					[...others, userId].map(async (id) => [id, await racer.issueAll(id, 5)] as const),
				);
				const issued = await Promise.all(results);
				const by = (isOwn: boolean) =>
					count(issued.filter(([id]) => (id === userId) === isOwn).flatMap(([, all]) => all));
				expect(by(true)).toEqual({ ok: 1, ISSUED_RECENTLY: 19 });
				expect(by(false)).toEqual({ INVALID_USER_ID: 60 });
			});

			test.skipIf(!contender.isThere)(`one set of attempts: ${contender.name}`, async () => {
				const { db, racers } = await start(contender);
				const codes = passwordToken(contender.sourceOf(db), `${NAME}-code`, {
					expiresIn: EXPIRES_IN,
				});
				const attempts = async () =>
					(await db.keys()).filter(({ id }) => id.startsWith(":")).length;
				for (const other of others) {
					await expect(codes.issue(other)).rejects.toThrow("INVALID_USER_ID");
				}
				const code = `${await codes.issue(userId)}`;
				const wrong = Array.from({ length: 5 }, (_, at) => `wrong${at}`);
				const guessAs = async (ids: readonly string[], guesses: readonly string[]) => {
					const calls = racers.flatMap((racer) => ids.map((id) => racer.guessAll(id, guesses)));
					return count((await Promise.all(calls)).flat());
				};
				expect(await guessAs(others, [...wrong, code])).toEqual({ INVALID_TOKEN: 72 });
				expect(await attempts()).toBe(0);
				await guessAs([...others, userId], wrong);
				expect(await attempts()).toBe(MAX_ATTEMPTS);
				await expect(codes.validate(code, userId)).rejects.toThrow("INVALID_TOKEN");
			});
		}
	},
);
