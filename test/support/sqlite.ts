import { betterSqlite3 as sqliteAdapter } from "@lucia-auth/adapter-sqlite";
import Database from "libsql";
import lucia, {
	type Adapter,
	type Auth,
	type KeySchema,
	type LuciaErrorConstructor,
} from "lucia-auth";
import { beforeEach, onTestFinished, vi } from "vitest";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { intercept } from "./faults.js";
import { schema, SQLITE } from "./schema.js";

/**
 * Opens an embedded database, with Lucia on it through its real adapter.
 *
 * @param wrap puts something between Lucia and its adapter, such as a failure
 */
export const openSqlite = (wrap = (adapter: Adapter): Adapter => adapter) => {
	const db = new Database(":memory:");
	db.pragma("foreign_keys = ON");
	db.exec(schema(SQLITE).join(";"));
	const calls: string[] = [];
	// libsql has the interface of better-sqlite3, not its class.
	const adapter = sqliteAdapter(db as never);
	const auth = lucia({
		adapter: (error: LuciaErrorConstructor) =>
			intercept(wrap(adapter(error)), (name, run) => {
				calls.push(name);
				return run();
			}),
		env: "DEV",
	}) as Auth;
	const keys = () =>
		(db.prepare("SELECT * FROM auth_key ORDER BY id").all() as KeySchema[]).map((row) => ({
			...row,
			primary_key: Boolean(row.primary_key),
		}));
	return {
		db,
		auth,
		/** Every call to the adapter since the last `calls.length = 0`, by its name. */
		calls,
		createUser: async (id: string = crypto.randomUUID()) => {
			db.prepare("INSERT INTO auth_user (id) VALUES (?)").run(id);
			return id;
		},
		/** The rows of `auth_key`, as they are stored. */
		keys,
		/** The keys whose ids do not begin with `:`, which are no internal rows. */
		tokens: () => keys().filter(({ id }) => !id.startsWith(":")),
		insertKey: (key: Partial<KeySchema> & { id: string; user_id: string }) => {
			const { id, user_id, primary_key = false, hashed_password = null, expires = null } = key;
			const values = [id, user_id, Number(primary_key), hashed_password, expires];
			db.prepare("INSERT INTO auth_key VALUES (?, ?, ?, ?, ?)").run(...values);
		},
	};
};
export type Sqlite = ReturnType<typeof openSqlite>;

/** The stores on such a database: what a handler takes for each. */
export const STORES = [
	["the default store", ({ auth }: Sqlite) => auth],
	["a native store", ({ db }: Sqlite) => betterSqlite3(db)],
] as const;

/** A time that is no multiple of 8, so that `issue()` does not sweep. */
export const NOW = 36_000_001;

/** Opens a database with a user whose id is `user`, and stops the clock at `NOW`, until the test ends. */
export const openStopped = async (...args: Parameters<typeof openSqlite>): Promise<Sqlite> => {
	vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
	const opened = openSqlite(...args);
	onTestFinished(() => {
		vi.useRealTimers();
		opened.db.close();
	});
	await opened.createUser("user");
	return opened;
};

/** The database of the running test, in a file that calls `openForEach()`. */
export let sqlite: Sqlite;

export const openForEach = (): void =>
	beforeEach(async () => {
		sqlite = await openStopped();
	});
