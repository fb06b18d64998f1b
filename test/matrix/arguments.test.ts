import { describe, expect, test } from "vitest";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { pg } from "../../src/stores/pg.js";

const WRONG: readonly unknown[] = [undefined, null, "postgres://localhost", 1, {}, { query: 1 }];

describe("a native store refuses what is not its driver's", () => {
	test.each(WRONG)("%o", (value) => {
		expect(() => pg(value as never)).toThrow(new TypeError("pool must be a Pool of pg"));
		expect(() => mysql2(value as never)).toThrow(
			new TypeError("pool must be a pool of mysql2/promise"),
		);
		expect(() => betterSqlite3(value as never)).toThrow(
			new TypeError("db must be a Database of better-sqlite3, libsql, bun:sqlite or node:sqlite"),
		);
	});
});
