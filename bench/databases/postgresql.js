import { pg as luciaAdapter } from "@lucia-auth/adapter-postgresql";
import { pg as nativeStore } from "@lucia-auth/tokens/pg";
import pg from "pg";
import { allContenders } from "../contenders/all.js";
import { counter } from "../counter.js";
import {
	EVERYONE,
	luciaRows,
	luciaSchema,
	OTHERS,
	TOKENS_OF_OTHERS,
	toAddress,
	uniqueName,
} from "./schema.js";

const AUTH_JS_SCHEMA = `CREATE TABLE verification_token (
	identifier TEXT NOT NULL,
	expires TIMESTAMPTZ NOT NULL,
	token TEXT NOT NULL,
	PRIMARY KEY (identifier, token)
)`;

// Named, and so prepared once for each connection.
const statementsOn = (pool) => {
	const query = (name, text, values) => pool.query({ name, text, values });
	return {
		insert: async (id, userId, expires) => {
			await query(
				"driver-insert",
				`INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires)
				VALUES ($1, $2, false, NULL, $3)`,
				[id, userId, expires],
			);
		},
		take: async (id) =>
			(
				await query(
					"driver-take",
					"DELETE FROM auth_key WHERE id = $1 RETURNING id, user_id, expires",
					[id],
				)
			).rows[0],
		list: async (userId) =>
			(
				await query("driver-list", "SELECT id, user_id, expires FROM auth_key WHERE user_id = $1", [
					userId,
				])
			).rows,
		revokeAll: async (userId) => {
			await query("driver-revoke-all", "DELETE FROM auth_key WHERE user_id = $1", [userId]);
		},
	};
};

export const postgresql = {
	name: "PostgreSQL",
	variable: "POSTGRES_URL",
	defaultUrl: "postgres://postgres@127.0.0.1:5432/postgres",
	port: 5432,
	networked: true,

	async open(url, { connections, through, later }) {
		const address = toAddress(url, this.port);
		const name = uniqueName();
		const admin = new pg.Client({ connectionString: url });
		await admin.connect();
		later(() => admin.end());
		await admin.query(`CREATE DATABASE ${name}`);
		later(() => admin.query(`DROP DATABASE ${name} WITH (FORCE)`));
		const direct = new pg.Client({ ...address, database: name });
		await direct.connect();
		later(() => direct.end());
		const newPool = (to) => {
			const pool = new pg.Pool({ ...address, ...to, database: name, max: connections });
			later(() => pool.end());
			// Of idle connections, which the server may close first when all is done.
			return pool.on("error", () => {});
		};
		const pools = { direct: newPool({}), delayed: newPool(through) };

		for (const text of [
			...luciaSchema({ text: "TEXT", boolean: "BOOLEAN" }),
			AUTH_JS_SCHEMA,
			// Autovacuum could start at any time. settle() does its work instead.
			"ALTER TABLE auth_key SET (autovacuum_enabled = false)",
			"ALTER TABLE verification_token SET (autovacuum_enabled = false)",
		]) {
			await direct.query(text);
		}
		await direct.query("INSERT INTO auth_user SELECT unnest($1::text[])", [EVERYONE]);

		const fill = async (userIds, count) => {
			for (const rows of luciaRows(userIds, count)) {
				await direct.query(
					`INSERT INTO auth_key SELECT id, user_id, false, NULL, expires
					FROM unnest($1::text[], $2::text[], $3::bigint[]) AS t (id, user_id, expires)`,
					[0, 1, 2].map((column) => rows.map((row) => row[column])),
				);
			}
		};
		await fill(OTHERS, TOKENS_OF_OTHERS);

		const contendersOn = (pool) =>
			allContenders({
				statements: statementsOn(pool),
				adapter: luciaAdapter(pool),
				nativeStore: nativeStore(pool),
				betterAuthDatabase: pool,
				authJsPool: pool,
			});
		const contenders = {
			direct: await contendersOn(pools.direct),
			delayed: await contendersOn(pools.delayed),
		};

		await direct.query("ALTER TABLE verification SET (autovacuum_enabled = false)");
		await direct.query(`INSERT INTO verification (id, identifier, value, "expiresAt", "createdAt", "updatedAt")
			SELECT id, id, '{"type":"magic-link","email":"other@example.com"}',
				now() + interval '1 day', now(), now() FROM auth_key`);
		await direct.query(`INSERT INTO verification_token
			SELECT user_id, now() + interval '1 day', id FROM auth_key`);

		const { rows } = await direct.query(
			"SELECT version(), current_setting('synchronous_commit') AS commit, current_setting('fsync') AS fsync",
		);
		return {
			version: /^PostgreSQL [\d.]+/.exec(rows[0].version)[0],
			settings: { synchronous_commit: rows[0].commit, fsync: rows[0].fsync },
			contenders,
			fill,
			ping: (network) => pools[network].query({ name: "ping", text: "SELECT 1" }),
			count: counter([[pg.Client.prototype, ["query"]]]),
			tokensLeft: async () => {
				const { rows } = await direct.query(
					"SELECT count(*) FROM auth_key WHERE user_id NOT LIKE 'other%'",
				);
				return Number(rows[0].count);
			},
			empty: async () => {
				await direct.query("DELETE FROM auth_key WHERE user_id NOT LIKE 'other%'");
			},
			settle: async () => {
				await direct.query("VACUUM ANALYZE auth_key, verification, verification_token");
			},
		};
	},
};
