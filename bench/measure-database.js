import { toAddress } from "./databases/schema.js";
import { CONNECTIONS, DELAY } from "./plan.js";
import { openProxy } from "./proxy.js";
import { measureLists } from "./work/lists.js";
import { measureNetwork } from "./work/network.js";
import { countStatements } from "./work/statements.js";
import { measureTokens } from "./work/tokens.js";

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

/** Runs all work on one database: `{ notRun }` with the reason where there is none. */
export const measureDatabase = async (kind, plan, progress) => {
	const { name, variable, defaultUrl, port, networked } = kind;
	const url = process.env[variable] ?? defaultUrl;
	const toDo = [];
	const later = (task) => toDo.push(task);
	const tidyUp = async () => {
		while (toDo.length > 0) {
			// One that fails keeps neither the others from their work nor the run's own error from us.
			await toDo
				.pop()()
				.catch((error) => console.error(error));
		}
	};
	let interrupted = false;
	const onInterrupt = async () => {
		interrupted = true;
		progress.stop();
		await tidyUp();
		process.exit(130);
	};
	for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, onInterrupt);
	try {
		const proxy = networked && (await openProxy({ ...toAddress(url, port), delay: DELAY }));
		if (proxy) later(() => proxy.close());
		const database = await kind.open(url, {
			connections: CONNECTIONS,
			through: proxy?.address,
			later,
		});
		return { name, ...(await measure(database, proxy, plan, progress, name)) };
	} catch (error) {
		// Its connections were closed, and the process is about to end.
		if (interrupted) await new Promise(() => {});
		// A port of which nobody knew is only not there; one that was named is an error.
		if (!networked || process.env[variable] || !isRefused(error)) throw error;
		return { notRun: `${name} was not run: none at ${defaultUrl}, and ${variable} is not set.` };
	} finally {
		for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, onInterrupt);
		await tidyUp();
	}
};

const measure = async (database, proxy, plan, progress, name) => {
	const networks = Object.keys(database.contenders);
	const lists = networks.flatMap((network) =>
		plan.underWay.flatMap((underWay) =>
			plan.tokens.map((tokens) => ({ network, underWay, tokens })),
		),
	);
	const bar = progress.start(name, 1 + networks.length * plan.underWay.length + lists.length);

	const statements = await countStatements(
		database,
		database.contenders[proxy ? "delayed" : "direct"],
		Math.max(...plan.tokens),
		proxy || undefined,
	);
	bar.step("statements");
	const measured = {
		version: database.version,
		settings: database.settings,
		connections: proxy ? CONNECTIONS : 1,
		milliseconds: proxy ? await measureNetwork(database) : null,
		statements,
		tokens: [],
		lists: [],
	};
	for (const network of networks) {
		const contenders = database.contenders[network];
		for (const underWay of plan.underWay) {
			const rates = await measureTokens(database, contenders, {
				underWay,
				rounds: plan.rounds,
				milliseconds: plan.milliseconds,
				warmUp: plan.warmUp,
			});
			measured.tokens.push({ network, underWay, rates });
			bar.step(`tokens, ${network}, ${underWay} under way`);
		}
	}
	for (const { network, underWay, tokens } of lists) {
		const rates = await measureLists(database, database.contenders[network], {
			underWay,
			tokens,
			rounds: plan.listRounds,
			milliseconds: plan.listMilliseconds,
			warmUp: 0,
			patience: plan.patience,
		});
		measured.lists.push({ network, underWay, tokens, rates });
		bar.step(`lists of ${tokens}, ${network}, ${underWay} under way`);
	}
	return measured;
};
