import { toAddress } from "./databases/schema.js";
import { CONNECTIONS, DELAY } from "./plan.js";
import { openProxy } from "./proxy.js";
import { measureCodes } from "./work/codes.js";
import { measureLinks } from "./work/links.js";
import { measureLists } from "./work/lists.js";
import { measureNetwork } from "./work/network.js";
import { countCodes, countLinks, countLists } from "./work/statements.js";

// No server, or one that is somebody else's.
const NOT_THERE = [
	"ECONNREFUSED",
	"ENOENT",
	"ENOTFOUND",
	"28000",
	"28P01",
	"ER_ACCESS_DENIED_ERROR",
];

const isRefused = ({ code, errors }) =>
	NOT_THERE.includes(code) || errors?.every(isRefused) === true;

/**
 * Measures on one database, and tidies up.
 *
 * @param measure returns the entries. It gets the URL, and a function that puts a task off until the end
 * @returns the entries, or `{ notRun }` with the reason where there is no such database
 */
export const withDatabase = async ({ name, variable, defaultUrl, networked }, measure) => {
	const url = process.env[variable] ?? defaultUrl;
	const toDo = [];
	const later = (task) => toDo.push(task);
	const tidyUp = async () => {
		while (toDo.length > 0) {
			// A failure must not stop the other tasks, or hide the run's own error.
			await toDo
				.pop()()
				.catch((error) => console.error(error));
		}
	};
	let interrupted = false;
	const onInterrupt = async () => {
		interrupted = true;
		await tidyUp();
		process.exit(130);
	};
	for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, onInterrupt);
	try {
		return { entries: await measure(url, later) };
	} catch (error) {
		// Its connections were closed, and the process is about to end.
		if (interrupted) await new Promise(() => {});
		// A missing server on a default port is fine. One that you named must answer.
		if (!networked || process.env[variable] || !isRefused(error)) throw error;
		return { notRun: `${name} was not run: none at ${defaultUrl}, and ${variable} is not set.` };
	} finally {
		for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, onInterrupt);
		await tidyUp();
	}
};

/** Runs the parts on one database. */
export const measureDatabase = (kind, parts, plan) =>
	withDatabase(kind, async (url, later) => {
		const { name, port, networked } = kind;
		const proxy = networked && (await openProxy({ ...toAddress(url, port), delay: DELAY }));
		if (proxy) later(() => proxy.close());
		const through = proxy?.address;
		const database = await kind.open(url, { connections: CONNECTIONS, through, later });
		return measure(database, parts, proxy, plan, name);
	});

const cellsOf = (networks, plan, part) =>
	networks.flatMap((network) =>
		plan.underWay.flatMap((underWay) =>
			part === "lists"
				? plan.tokens.map((tokens) => ({ network, underWay, tokens }))
				: [{ network, underWay }],
		),
	);

const WORK = { links: measureLinks, lists: measureLists, codes: measureCodes };
const COUNTS = { links: countLinks, lists: countLists, codes: countCodes };

// All that can list tokens are among those that issue links.
const contendersFor = (part, { links, codes }) =>
	({ links, lists: links.filter(({ list }) => list), codes })[part];

const measure = async (database, parts, proxy, plan, name) => {
	const shared = {
		database: name,
		version: database.version,
		settings: database.settings,
		connections: proxy ? CONNECTIONS : 1,
		milliseconds: proxy ? await measureNetwork(database) : null,
	};
	const entries = [];
	for (const part of parts) {
		console.error(`${name}, ${part}: statements`);
		const statements = await COUNTS[part](
			database,
			contendersFor(part, database.contenders[proxy ? "delayed" : "direct"]),
			proxy || undefined,
			Math.max(...plan.tokens),
		);
		const cells = [];
		for (const cell of cellsOf(Object.keys(database.contenders), plan, part)) {
			console.error(`${name}, ${part}: ${Object.entries(cell).flat().join(" ")}`);
			const contenders = contendersFor(part, database.contenders[cell.network]);
			const rates = await WORK[part](database, contenders, {
				...cell,
				...(part === "lists" ? plan.listTurns : plan.turns),
			});
			cells.push({ ...cell, rates });
		}
		entries.push({ part, ...shared, statements, cells });
	}
	return entries;
};
