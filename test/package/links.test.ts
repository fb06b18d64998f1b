import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pack, type Packed, root } from "../support/packed.js";
import { anchorsOf, linksOf } from "../support/page.js";

// Every relative link of the packed pages leads to a file in the package. The README's may also lead to one
// that only the repository has: npm resolves them by the package's `repository`.

const run = promisify(execFile);

let packed: Packed;
let unpacked: string;

beforeAll(async () => {
	packed = await pack();
	await run("tar", ["-xzf", packed.tarball, "-C", packed.folder]);
	unpacked = join(packed.folder, "package");
});
afterAll(() => packed.remove());

/** Whether a link on a page leads to a file, or for a page of the repository a folder, and to its anchor. */
const leads = async (folder: string, page: string, link: string): Promise<boolean> => {
	const [path = "", anchor] = link.split("#");
	const target = path ? join(folder, dirname(page), path) : join(folder, page);
	if (relative(folder, target).startsWith("..") || !existsSync(target)) return false;
	if ((await stat(target)).isDirectory()) return folder === root;
	return anchor === undefined || anchorsOf(await readFile(target, "utf8")).includes(anchor);
};

test("no page in the package has a dead link", async () => {
	const files = await readdir(unpacked, { recursive: true });
	const pages = files.filter((file) => file.endsWith(".md"));
	expect(pages).toEqual(expect.arrayContaining(["README.md", join("docs", "stores.md")]));
	const dead: string[] = [];
	for (const page of pages) {
		for (const link of linksOf(await readFile(join(unpacked, page), "utf8"))) {
			const isServed = page === "README.md" && (await leads(root, page, link));
			if (!isServed && !(await leads(unpacked, page, link))) dead.push(`${page}: ${link}`);
		}
	}
	expect(dead).toEqual([]);
});
