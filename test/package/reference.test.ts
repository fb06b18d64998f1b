import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { root } from "../support/packed.js";
import { readPage } from "../support/page.js";

test("docs/reference.md is what npm run docs writes", async () => {
	const folder = await mkdtemp(join(tmpdir(), "reference-"));
	onTestFinished(() => rm(folder, { recursive: true }));
	const page = join(folder, "reference.md");
	await promisify(execFile)("npx", ["typedoc", "--out", page], { cwd: root });
	expect(readPage("docs/reference.md")).toBe(await readFile(page, "utf8"));
});
