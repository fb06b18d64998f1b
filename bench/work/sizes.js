import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { ENTRIES } from "./entries.js";

/** Bytes of each entry with all that it imports: minified, and compressed. */
export const measureSizes = async () => {
	const sizes = [];
	for (const { name, imports } of ENTRIES) {
		const { outputFiles } = await build({
			stdin: {
				contents: imports
					.map((specifier, i) => `export * as part${i} from ${JSON.stringify(specifier)};`)
					.join("\n"),
				resolveDir: fileURLToPath(new URL("..", import.meta.url)),
			},
			bundle: true,
			minify: true,
			format: "esm",
			platform: "node",
			target: "es2022",
			write: false,
			logLevel: "error",
		});
		const [{ contents }] = outputFiles;
		sizes.push({
			name,
			minified: contents.length,
			gzip: gzipSync(contents, { level: 9 }).length,
			brotli: brotliCompressSync(contents).length,
		});
	}
	return sizes;
};
