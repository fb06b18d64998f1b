import { openBetterSqlite3, openSqliteDb } from "../support/database.js";
import { isInstalled } from "./heavy.js";
import { matrix } from "./matrix.js";

matrix(
	"better-sqlite3",
	async (options) => openSqliteDb(await openBetterSqlite3(":memory:"), options),
	isInstalled("better-sqlite3"),
);
