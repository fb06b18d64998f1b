import { describe } from "vitest";
import { openD1 } from "../support/d1.js";
import { toHarness } from "../support/database.js";
import { behaviour } from "./behaviour.js";
import { isInstalled } from "./heavy.js";

describe.skipIf(!isInstalled("miniflare"))("D1 on Miniflare", () => {
	behaviour("defaultSource", async () => {
		const db = await openD1();
		return {
			...toHarness(db, db.defaultSource),
			source: db.defaultSource,
			close: () => db.close(),
		};
	});
});
