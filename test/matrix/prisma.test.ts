import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Adapter, LuciaErrorConstructor } from "lucia-auth";
import { beforeAll, describe, inject } from "vitest";
import { createAuth, type Database, toHarness } from "../support/database.js";
import { openPostgres, openSqliteDb, type SqliteDb } from "../support/databases.js";
import { temporaryFolder } from "../support/server.js";
import { behaviour, type Contender } from "./behaviour.js";
import { importHeavy, isInstalled } from "./heavy.js";

interface Client {
	$disconnect(): Promise<void>;
}

interface ClientModule {
	readonly PrismaClient: new (options: { adapter: object }) => Client;
}

interface AdapterModule {
	readonly default: (client: Client) => (error: LuciaErrorConstructor) => Adapter;
}

type Provider = "sqlite" | "postgresql";

const folder = fileURLToPath(new URL(".", import.meta.url));

// Prisma fetches an engine that generating a client does not need, unless it is told of one.
const generate = (provider: Provider): void => {
	execFileSync(
		process.execPath,
		["node_modules/prisma/build/index.js", "generate", "--schema", `prisma/${provider}.prisma`],
		{
			cwd: folder,
			stdio: "pipe",
			env: {
				...process.env,
				PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
				CHECKPOINT_DISABLE: "1",
			},
		},
	);
};

const open = async (
	provider: Provider,
	database: Database,
	adapter: object,
	remove = () => {},
): Promise<Contender> => {
	const { PrismaClient } = await importHeavy<ClientModule>(
		join(folder, "node_modules", `.prisma-${provider}`, "index.js"),
	);
	const prisma = await importHeavy<AdapterModule>("@lucia-auth/adapter-prisma");
	const client = new PrismaClient({ adapter });
	const source = createAuth(prisma.default(client));
	return {
		...toHarness(database, source),
		source,
		close: async () => {
			await client.$disconnect();
			await database.close();
			remove();
		},
	};
};

const openOnPostgres = async (): Promise<Contender> => {
	const url = inject("postgres");
	const { PrismaPg } = await importHeavy<{
		readonly PrismaPg: new (config: object, options: { schema: string }) => object;
	}>("@prisma/adapter-pg");
	const database = await openPostgres(url);
	const adapter = new PrismaPg({ connectionString: url }, { schema: database.name });
	return open("postgresql", database, adapter);
};

const openOnSqlite = async (): Promise<Contender> => {
	const { PrismaBetterSqlite3 } = await importHeavy<{
		readonly PrismaBetterSqlite3: new (config: { url: string }) => object;
	}>("@prisma/adapter-better-sqlite3");
	const { default: Sqlite } = await importHeavy<{
		readonly default: new (file: string) => SqliteDb;
	}>("better-sqlite3");
	const { path, remove } = temporaryFolder("prisma");
	const file = join(path, "db");
	const database = await openSqliteDb(new Sqlite(file));
	return open("sqlite", database, new PrismaBetterSqlite3({ url: `file:${file}` }), remove);
};

const there = isInstalled("prisma");

describe.skipIf(!there)("Prisma on SQLite", () => {
	beforeAll(() => generate("sqlite"));
	behaviour("defaultSource", openOnSqlite);
});

describe.skipIf(!there || inject("postgres") === "")("Prisma on PostgreSQL", () => {
	beforeAll(() => generate("postgresql"));
	behaviour("defaultSource", openOnPostgres);
});
