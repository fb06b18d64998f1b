import { checkDriver, type Mistake } from "./sql.js";

/** A `Pool` or `Client` of `pg`. Only what the store uses is declared. */
export interface PgPool {
	query(query: { name?: string; text: string; values: unknown[] }): Promise<{
		rows: unknown[];
		rowCount: number | null;
	}>;
	/** A pool has this number; a client does not. */
	readonly totalCount?: unknown;
	/** A PGlite has this method. */
	readonly exec?: undefined;
}

/** The `sql` of postgres.js, of one of its transactions, or of a reserved connection. */
export interface PostgresSql {
	unsafe(
		text: string,
		values: never[],
		options: { prepare: boolean },
	): PromiseLike<readonly object[] & { readonly count: number | null }>;
	readonly exec?: undefined;
}

/** A `PGlite`, or a transaction of one. */
export interface Pglite {
	query(text: string, values: unknown[]): Promise<{ rows: unknown[]; affectedRows?: number }>;
	exec(text: string): Promise<unknown>;
}

/** What runs the store's statements. */
export interface PgDriver {
	query: PgPool["query"];
	/** Whether it chooses a connection for each statement, outside of any transaction of the app's. */
	readonly isPool: boolean;
	/** Whether the app has begun a transaction, where times do not tell. */
	isInTransaction?(): Promise<boolean>;
}

const MISTAKES: readonly Mistake[] = [
	[["query", "unsafe"], "neon() of Neon, which has no connection: create a Pool of it"],
	[["flush", "unsafe"], "the SQL of Bun: create a Pool of pg"],
	[["createQueryRunner"], "a DataSource of TypeORM: pass the Pool of its driver"],
	[["getQueryInterface"], "a Sequelize: create a Pool of pg beside it"],
	[["raw"], "a Knex: create a Pool of pg beside it"],
	[["selectFrom"], "a Kysely: pass the Pool that its dialect has"],
	[["$client"], "a database of Drizzle: pass its $client"],
	[["getConnection"], "one of MySQL or MariaDB: pass that to mysql2()"],
	[["beginTransaction"], "one of MySQL or MariaDB: pass that to mysql2()"],
	[["exec", "prepare"], "one of SQLite: pass that to betterSqlite3()"],
];

/** Runs a statement, and takes its values, and so the token, out of the driver's error. */
const withoutValues = async <Result>(
	values: unknown[],
	run: (values: never[]) => PromiseLike<Result>,
): Promise<Result> => {
	const sent = [...values];
	try {
		return await run(sent as never[]);
	} catch (error) {
		// PGlite adds this array to it, and postgres.js adds another one besides.
		const { parameters } = Object(error) as { parameters?: unknown };
		for (const array of [sent, parameters]) if (Array.isArray(array)) array.length = 0;
		throw error;
	}
};

// Without `fetch_types`, postgres.js cannot write an array.
const toParameter = (value: unknown): unknown =>
	Array.isArray(value)
		? `{${value.map((text) => `"${String(text).replace(/["\\]/g, "\\$&")}"`).join()}}`
		: (value ?? null);

// With `transform`, postgres.js returns names such as userId, UserId, and user-id.
const toName = (name: string): string => name.replace(/-|\B(?=[A-Z])/g, "_").toLowerCase();

const toRow = (row: object): object =>
	Object.fromEntries(Object.entries(row).map(([name, value]) => [toName(name), value as unknown]));

const postgresDriver = (sql: PostgresSql): PgDriver => ({
	async query({ name, text, values }) {
		const prepare = name !== undefined;
		const rows = await withoutValues(values.map(toParameter), (values) =>
			sql.unsafe(text, values, { prepare }),
		);
		return { rows: Array.from(rows, toRow), rowCount: rows.count };
	},
	isPool: !("savepoint" in sql || "release" in sql),
});

const pgliteDriver = (pglite: Pglite): PgDriver => ({
	async query({ text, values }) {
		const { rows, affectedRows } = await withoutValues(values, (values) =>
			pglite.query(text, values),
		);
		return { rows, rowCount: Number(affectedRows) };
	},
	isPool: false,
	// PGlite's clock counts milliseconds, so this asks with a statement that is an error outside of a transaction.
	async isInTransaction() {
		const locked = pglite.query("LOCK TABLE pg_type IN ACCESS SHARE MODE", []);
		return locked.then(
			() => true,
			(error: unknown) => {
				if ((Object(error) as { code?: unknown }).code === "25P01") return false;
				throw error;
			},
		);
	},
});

/**
 * Makes one driver of all that `pg()` takes.
 *
 * @throws TypeError it is none of them
 */
export const toPgDriver = (pool: PgPool | PostgresSql | Pglite): PgDriver => {
	checkDriver(
		pool,
		"pool must be a Pool or Client of pg, the sql of postgres.js, or a PGlite",
		["unsafe" in (Object(pool) as object) ? "unsafe" : "query"],
		MISTAKES,
	);
	if ("unsafe" in pool) return postgresDriver(pool);
	if (pool.exec) return pgliteDriver(pool);
	return { query: (query) => pool.query(query), isPool: typeof pool.totalCount === "number" };
};
