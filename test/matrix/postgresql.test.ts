import { describe, inject } from "vitest";
import { openPostgres } from "../support/database.js";
import { toHarness } from "../support/harness.js";
import { behavior, matrix } from "./matrix.js";

const url = inject("postgres");

matrix("PostgreSQL", (options) => openPostgres(url, options), url !== "");

const SERIALIZABLE = "-c default_transaction_isolation=serializable";

describe.skipIf(url === "")("PostgreSQL, serializable", () => {
	behavior("nativeSource", async () => {
		const db = await openPostgres(url, {}, { options: SERIALIZABLE });
		return toHarness(db, db.nativeSource);
	});
});
