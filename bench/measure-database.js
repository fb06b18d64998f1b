import { toAddress } from "./databases/schema.js";
import { CONNECTIONS, DELAY } from "./plan.js";
import { openProxy } from "./proxy.js";
import { measureLists } from "./work/lists.js";
import { measureNetwork } from "./work/network.js";
import { countStatements } from "./work/statements.js";
import { measureTokens } from "./work/tokens.js";

const isRefused = ({ code, errors }) =>
	["ECONNREFUSED", "ENOENT", "ENOTFOUND"].includes(code) || errors?.every(isRefused) === true;

/** Runs all work on one database: `{ notRun }` with the reason where there is none. */
export const measureDatabase = async (kind, plan, progress) => {
	const { name, variable, defaultUrl, port, networked } = kind;
	const url = process.env[variable] ?? defaultUrl;
	const proxy = networked && (await openProxy({ ...toAddress(url, port), delay: DELAY }));
	try {
		const database = await kind.open(url, {
			connections: CONNECTIONS,
			through: proxy?.address,
		});
		try {
			return { name, ...(await measure(database, proxy, plan, progress, name)) };
		} finally {
			await database.close();
		}
	} catch (error) {
		// A port of which nobody knew is only not there; one that was named is an error.
		if (!networked || process.env[variable] || !isRefused(error)) throw error;
		return { notRun: `${name} was not run: none at ${defaultUrl}, and ${variable} is not set.` };
	} finally {
		await proxy?.close?.();
	}
};

const measure = async (database, proxy, plan, progress, name) => {
	const networks = Object.keys(database.contenders);
	const lists = networks.flatMap((network) =>
		plan.underWay.flatMap((underWay) =>
			plan.tokens.map((tokens) => ({
				network,
				underWay,
				tokens,
				left: underWay > 1 && underWay * tokens > plan.mostTokens[network],
			})),
		),
	);
	const bar = progress.start(
		name,
		1 + networks.length * plan.underWay.length + lists.filter(({ left }) => !left).length,
	);

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
		leftOut: lists
			.filter(({ left }) => left)
			.map(
				({ network, underWay, tokens }) =>
					`${tokens} tokens each, ${network}, ${underWay} under way`,
			),
	};
	for (const network of networks) {
		const contenders = database.contenders[network];
		for (const underWay of plan.underWay) {
			const rates = await measureTokens(database, contenders, {
				underWay,
				rounds: plan.rounds,
				milliseconds: plan.milliseconds,
			});
			measured.tokens.push({ network, underWay, rates });
			bar.step(`tokens, ${network}, ${underWay} under way`);
		}
	}
	for (const { network, underWay, tokens, left } of lists) {
		if (left) continue;
		const rates = await measureLists(database, database.contenders[network], {
			underWay,
			tokens,
			rounds: plan.listRounds,
			milliseconds: plan.listMilliseconds,
		});
		measured.lists.push({ network, underWay, tokens, rates });
		bar.step(`lists of ${tokens}, ${network}, ${underWay} under way`);
	}
	return measured;
};
