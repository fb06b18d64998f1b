import { execFileSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { importHeavy } from "../matrix/heavy.js";
import {
	createAuth,
	type Database,
	openBetterSqlite3,
	openPostgres,
	openSqliteDb,
} from "./database.js";
import { temporaryFolder } from "./server.js";

type Provider = "sqlite" | "postgresql";

const folder = fileURLToPath(new URL("../matrix/", import.meta.url));

// Unless it is given an engine, Prisma downloads one, although it does not need it to generate a client.
const ENGINE = { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: "1" };

const generate = (provider: Provider): string => {
	const schema = join(folder, "prisma", `${provider}.prisma`);
	const client = join(folder, "node_modules", `.prisma-${provider}`, "index.js");
	if (!existsSync(client) || statSync(client).mtimeMs < statSync(schema).mtimeMs) {
		const args = ["node_modules/prisma/build/index.js", "generate", "--schema", schema];
		const env = { ...process.env, ...ENGINE };
		execFileSync(process.execPath, args, { cwd: folder, stdio: "pipe", env });
	}
	return client;
};

/** Lucia on Prisma, in place of the adapter that the database was opened with. */
const open = async (provider: Provider, database: Database, driver: object, remove = () => {}) => {
	const { PrismaClient } = await importHeavy<{
		PrismaClient: new (options: object) => { $disconnect(): Promise<void> };
	}>(generate(provider));
	const prisma = await importHeavy<{
		default: (client: object) => Parameters<typeof createAuth>[0];
	}>("@lucia-auth/adapter-prisma");
	const client = new PrismaClient({ adapter: driver });
	return {
		...database,
		client,
		defaultSource: createAuth(prisma.default(client)),
		close: async () => {
			await client.$disconnect();
			await database.close();
			remove();
		},
	};
};

export const openPrismaOnPostgres = async (url: string) => {
	const { PrismaPg } = await importHeavy<{
		readonly PrismaPg: new (config: object, options: { schema: string }) => object;
	}>("@prisma/adapter-pg");
	const database = await openPostgres(url);
	const driver = new PrismaPg({ connectionString: url }, { schema: database.name });
	return open("postgresql", database, driver);
};

export const openPrismaOnSqlite = async () => {
	const { PrismaBetterSqlite3 } = await importHeavy<{
		readonly PrismaBetterSqlite3: new (config: { url: string }) => object;
	}>("@prisma/adapter-better-sqlite3");
	const { path, remove } = temporaryFolder("prisma");
	const file = join(path, "db");
	const database = await openSqliteDb(await openBetterSqlite3(file));
	return open("sqlite", database, new PrismaBetterSqlite3({ url: `file:${file}` }), remove);
};
