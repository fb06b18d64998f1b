import { openSqliteDb, type SqliteDb } from "../support/databases.js";
import { importHeavy, isInstalled } from "./heavy.js";
import { matrix } from "./matrix.js";

interface BetterSqlite3 {
	readonly default: new (file: string) => SqliteDb;
}

matrix(
	"better-sqlite3",
	async (options) => {
		const { default: Database } = await importHeavy<BetterSqlite3>("better-sqlite3");
		return openSqliteDb(new Database(":memory:"), options);
	},
	isInstalled("better-sqlite3"),
);
