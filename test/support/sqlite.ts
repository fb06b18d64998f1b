import { betterSqlite3 as sqliteAdapter } from "@lucia-auth/adapter-sqlite";
import Database from "libsql";
import lucia, {
	type Adapter,
	type AdapterFunction,
	type Auth,
	type KeySchema,
	type LuciaErrorConstructor,
} from "lucia-auth";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";

const SCHEMA = `
	CREATE TABLE auth_user (id TEXT NOT NULL PRIMARY KEY, username TEXT);
	CREATE TABLE auth_session (
		id TEXT NOT NULL PRIMARY KEY,
		user_id TEXT NOT NULL REFERENCES auth_user (id),
		active_expires BIGINT NOT NULL,
		idle_expires BIGINT NOT NULL
	);
	CREATE TABLE auth_key (
		id TEXT NOT NULL PRIMARY KEY,
		user_id TEXT NOT NULL REFERENCES auth_user (id),
		primary_key INTEGER NOT NULL,
		hashed_password TEXT,
		expires BIGINT
	);
	CREATE INDEX auth_key_user_id ON auth_key (user_id);
`;

/** An embedded database, Lucia on it through its real adapter, and the rows as they are stored. */
export interface Sqlite {
	readonly db: Database.Database;
	readonly adapter: AdapterFunction<Adapter>;
	readonly auth: Auth;
	/** Every call of the adapter since the last `calls.length = 0`, by its name. */
	readonly calls: string[];
	createUser(id?: string): Promise<string>;
	keys(): KeySchema[];
	/** The keys whose ids do not begin with `:`, which are no internal rows. */
	tokens(): KeySchema[];
	insertKey(key: Partial<KeySchema> & { id: string; user_id: string }): void;
}

const counted = (adapter: Adapter, calls: string[]): Adapter =>
	new Proxy(adapter, {
		get: (target, name: keyof Adapter) => {
			const method = target[name] as (...args: unknown[]) => unknown;
			return (...args: unknown[]) => {
				calls.push(name);
				return method(...args);
			};
		},
	});

/**
 * @param wrap puts something between Lucia and its adapter, such as a fault
 */
export const openSqlite = (wrap: (adapter: Adapter) => Adapter = (adapter) => adapter): Sqlite => {
	const db = new Database(":memory:");
	db.pragma("foreign_keys = ON");
	db.exec(SCHEMA);
	const calls: string[] = [];
	let nextUserId: string | undefined;
	// libsql has the interface of better-sqlite3, not its class.
	const adapter = sqliteAdapter(db as never);
	const auth: Auth = lucia({
		adapter: (LuciaError: LuciaErrorConstructor) => counted(wrap(adapter(LuciaError)), calls),
		env: "DEV",
		generateCustomUserId: () => nextUserId ?? crypto.randomUUID(),
	});
	const keys = () =>
		(db.prepare("SELECT * FROM auth_key ORDER BY id").all() as KeySchema[]).map((row) => ({
			...row,
			primary_key: Boolean(row.primary_key),
		}));
	return {
		db,
		adapter,
		auth,
		calls,
		createUser: async (id) => {
			nextUserId = id;
			const user = (await auth.createUser({ primaryKey: null, attributes: {} })) as {
				userId: string;
			};
			nextUserId = undefined;
			return user.userId;
		},
		keys,
		tokens: () => keys().filter(({ id }) => !id.startsWith(":")),
		insertKey: (key) => {
			const row = { primary_key: false, hashed_password: null, expires: null, ...key };
			db.prepare("INSERT INTO auth_key VALUES (?, ?, ?, ?, ?)").run(
				row.id,
				row.user_id,
				Number(row.primary_key),
				row.hashed_password,
				row.expires,
			);
		},
	};
};

/** The stores on such a database: what a handler takes for each. */
export const STORES = [
	["the default store", ({ auth }: Sqlite) => auth],
	["a native store", ({ db }: Sqlite) => betterSqlite3(db)],
] as const;
