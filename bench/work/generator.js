import chiSquareCdf from "@stdlib/stats-base-dists-chisquare-cdf";
import { build } from "esbuild";
import { customAlphabet } from "nanoid";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { shuffle } from "simple-statistics";
import { WrongAnswer } from "../answers.js";
import { summary } from "../statistics.js";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

// Neither package exports its generator.
const loadOurs = async () => {
	const { outputFiles } = await build({
		entryPoints: [path("../node_modules/@lucia-auth/tokens/src/random.ts")],
		bundle: true,
		format: "esm",
		write: false,
	});
	return import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);
};
const loadPublished = () => import(path("../node_modules/published/utils/nanoid.js"));

/**
 * Chi-square of how often each character came up.
 *
 * @returns it, its degrees of freedom, and how likely an unbiased generator has one as large
 */
const bias = (generate, alphabet, strings) => {
	const counts = new Map([...alphabet].map((character) => [character, 0]));
	let characters = 0;
	for (let i = 0; i < strings; i++) {
		for (const character of generate()) {
			counts.set(character, counts.get(character) + 1);
			characters++;
		}
	}
	const expected = characters / alphabet.length;
	let chiSquare = 0;
	for (const count of counts.values()) chiSquare += (count - expected) ** 2 / expected;
	const degrees = alphabet.length - 1;
	return { characters, chiSquare, degrees, p: 1 - chiSquareCdf(chiSquare, degrees) };
};

/** Time and bias of the random generators, for an id token and for a code. */
export const measureGenerators = async ({ rounds, strings }) => {
	const ours = await loadOurs();
	const { generateRandomString: published } = await loadPublished();
	const kinds = [
		{ kind: "id token", length: 43, alphabet: ours.LETTERS_AND_DIGITS },
		{ kind: "code", length: 8, alphabet: ours.DIGITS },
	];
	const results = [];
	let read = 0;
	for (const { kind, length, alphabet } of kinds) {
		const contenders = {
			"2.0": () => ours.generateRandomString(length, alphabet),
			"1.0.2": () => published(length, alphabet),
			nanoid: customAlphabet(alphabet, length),
		};
		const nanoseconds = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
		for (let round = -1; round < rounds; round++) {
			for (const [name, generate] of shuffle(Object.entries(contenders))) {
				const start = performance.now();
				// Read, since V8 may put a string together only then.
				for (let i = 0; i < strings; i++) read += generate().charCodeAt(0);
				const took = performance.now() - start;
				// The first round is the warm-up.
				if (round >= 0) nanoseconds[name].push((took / strings) * 1e6);
			}
		}
		if (Number.isNaN(read)) throw new WrongAnswer(`${kind}: a generator returned no character`);
		for (const [name, generate] of Object.entries(contenders)) {
			results.push({
				kind,
				name,
				rounds: nanoseconds[name],
				nanoseconds: summary(nanoseconds[name]),
				...bias(generate, alphabet, strings),
			});
		}
	}
	return results;
};
