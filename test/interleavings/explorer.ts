import type { KeySchema } from "lucia-auth";
import { expect, test, vi } from "vitest";
import type { LuciaAuth } from "../../src/index.js";

export const NOW = 1_000_000_000;
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** What one call to the library does, with an `auth` of its own. @returns what it resolved with */
export type Operation = (auth: LuciaAuth) => Promise<unknown>;

export interface Scenario {
	/** The time at the start, in epoch milliseconds; `NOW` by default. */
	readonly now?: number;
	/** The rows at the start. The one user is `user`. */
	readonly rows: Rows;
	/** They run at once, in every order of their calls to the database. */
	readonly operations: Readonly<Record<string, Operation>>;
	/** They run one after the other when all others have ended. */
	readonly afterwards?: Readonly<Record<string, Operation>>;
	/**
	 * How many calls to the database may fail or end their process. If such a call is a write, it takes effect
	 * at any time from then on, or never.
	 */
	readonly failures?: number;
	/** How old a state of the rows reads may see, in milliseconds, as on a replica that lags behind. */
	readonly lag?: number;
	/** How many milliseconds may pass at any time, each once. */
	readonly ticks?: readonly number[];
	/** How many milliseconds an operation's clock is ahead, by its name. */
	readonly clocks?: Readonly<Record<string, number>>;
	/** Changes what the database does, to see the protocol break. */
	readonly database?: Execute;
	/** Called at each end. @throws Error the end is not as promised */
	readonly check: (end: End) => void;
}

export interface Row extends Pick<KeySchema, "id" | "user_id" | "expires"> {
	/** The operation that stored it, if one did. */
	readonly by?: string;
}

type Rows = readonly Row[];

export const row = (id: string, expires: number) => ({ id, user_id: "user", expires });

/** How a run has ended. */
export interface End {
	/** `"ok"`, the message of an error, or `"crash"`, by the name of the operation. */
	readonly outcomes: Readonly<Record<string, string>>;
	/** The operations that had ended when this one began. */
	readonly before: Readonly<Record<string, readonly string[]>>;
	readonly rows: Rows;
	readonly failures: number;
}

/** The outcomes of the operations whose names begin with `name`, sorted. */
export const outcomesOf = ({ outcomes }: End, name: string): string[] =>
	Object.keys(outcomes)
		.filter((key) => key.startsWith(name))
		.map((key) => String(outcomes[key]))
		.sort();

/** The operations whose names begin with `name` that succeeded. */
export const winners = ({ outcomes }: End, name: string): string[] =>
	Object.keys(outcomes).filter((key) => key.startsWith(name) && outcomes[key] === "ok");

type Response = { readonly value: unknown } | { readonly error: string };

/** One call to the database by an operation. @returns its response, and the rows after it */
export type Execute = (
	rows: Rows,
	name: string,
	args: readonly unknown[],
	by: string,
) => [Response, Rows];

const toKey = ({ id, user_id, expires }: Row): KeySchema => ({
	id,
	user_id,
	expires,
	primary_key: false,
	hashed_password: null,
});

/** What Lucia's adapters do, each call in one atomic step. */
export const execute: Execute = (rows, name, [argument], by) => {
	if (name === "getKey") {
		const row = rows.find(({ id }) => id === argument);
		return [{ value: row ? toKey(row) : null }, rows];
	}
	if (name === "getKeysByUserId") {
		const keys = rows.filter(({ user_id }) => user_id === argument).map(toKey);
		// A list has any order, and that of another call may differ.
		return [{ value: by.endsWith("2") ? keys.reverse() : keys }, rows];
	}
	if (name === "getUser") return [{ value: argument === "user" ? { id: argument } : null }, rows];
	if (name === "deleteNonPrimaryKey") {
		return [{ value: undefined }, rows.filter(({ id }) => id !== argument)];
	}
	if (name !== "setKey") throw new Error(`no such call: ${name}`);
	const { id, user_id, expires } = argument as Row;
	if (user_id !== "user") return [{ error: "AUTH_INVALID_USER_ID" }, rows];
	if (rows.some((row) => row.id === id)) return [{ error: "AUTH_DUPLICATE_KEY_ID" }, rows];
	return [{ value: undefined }, [...rows, { id, user_id, expires, by }]];
};

/** A database that stores rows under other ids or expiries than it is told. */
export const storing =
	(change: (row: Row, by: string) => Partial<Row>): Execute =>
	(rows, name, args, by) => {
		if (name !== "setKey") return execute(rows, name, args, by);
		const given = args[0] as Row;
		return execute(rows, name, [{ ...given, ...change(given, by) }], by);
	};

interface Call {
	readonly number: number;
	readonly name: string;
	readonly args: readonly unknown[];
}

/** The response to one call by an operation, and when it came. */
interface Seen {
	readonly call: number;
	readonly response: Response;
	readonly now: number;
}

/** The state of an operation after the responses it has seen. */
interface Step {
	readonly number: number;
	readonly operation: number;
	readonly start: number;
	readonly history: readonly Seen[];
	readonly outcome?: string;
	/** The calls to the database that wait for their responses. */
	readonly pending: readonly Call[];
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const replay = async (
	operation: Operation,
	start: number,
	history: readonly Seen[],
): Promise<Pick<Step, "outcome" | "pending">> => {
	const calls: (Call & { settle: (response: Response) => void })[] = [];
	const call =
		(_: object, name: string) =>
		(...args: unknown[]) =>
			new Promise((resolve, reject) => {
				calls.push({
					number: calls.length,
					name,
					args,
					settle: (response) =>
						"error" in response ? reject(new Error(response.error)) : resolve(response.value),
				});
			});
	let outcome: string | undefined;
	vi.setSystemTime(start);
	operation({ adapter: new Proxy({}, { get: call }) } as unknown as LuciaAuth).then(
		() => (outcome = "ok"),
		(error: Error) => (outcome = error.message),
	);
	await settle();
	for (const { call, response, now } of history) {
		vi.setSystemTime(now);
		calls[call]?.settle(response);
		await settle();
	}
	const settled = new Set(history.map(({ call }) => call));
	const pending = calls.filter(({ number }) => !settled.has(number));
	return outcome === undefined ? { pending } : { outcome, pending };
};

/** An operation in a state. */
interface Progress {
	readonly step: Step;
	/** The operations that had ended when it began; `undefined` while it has not. */
	readonly before?: readonly number[];
	readonly crashed?: true;
}

const hasEnded = ({ step, crashed }: Progress): boolean =>
	crashed === true || step.outcome !== undefined;

/** A state of the rows that was current until some time. */
interface Earlier {
	readonly rows: Rows;
	readonly until: number;
}

interface State {
	readonly rows: Rows;
	/** What lagging reads may see besides. */
	readonly earlier: readonly Earlier[];
	/** The writes that failed and may still take effect. */
	readonly late: readonly Write[];
	readonly now: number;
	readonly failures: number;
	readonly ticks: readonly number[];
	readonly progress: readonly Progress[];
	/** The calls that led here. */
	readonly path: readonly string[];
}

type Write = readonly [name: string, args: readonly unknown[], by: string];

const isWrite = ([name]: Write): boolean => !name.startsWith("get");

const texts = new WeakMap<Rows, string>();

const rowsText = (rows: Rows): string => {
	const ids = () => rows.map(({ id, expires, by }) => `${id} ${expires} ${by}`);
	const text = texts.get(rows) ?? ids().sort().join("\n");
	texts.set(rows, text);
	return text;
};

const distinct = <Value>(values: readonly Value[], text: (value: Value) => string): Value[] => [
	...new Map(values.map((value) => [text(value), value])).values(),
];

/**
 * Runs operations in every interleaving of their calls to the database, with every place of the failures.
 *
 * What an operation does next depends only on the responses it has seen. So each history of responses is
 * replayed once, and the states are explored as data: a state is the rows, the time, and the responses that
 * each operation has seen. No state is explored twice.
 *
 * @returns how many different ends there are
 * @throws Error the error that `check` threw, with the calls that led to it
 */
export const explore = async (scenario: Scenario): Promise<number> => {
	vi.useFakeTimers({ toFake: ["Date"] });
	try {
		return await exploreAll(scenario);
	} finally {
		vi.useRealTimers();
	}
};

/** Explores each scenario in a test of its name. */
export const testEach = (scenarios: Readonly<Record<string, Scenario>>): void =>
	test.each(Object.entries(scenarios))("%s", async (_, scenario) => {
		expect(await explore(scenario)).toBeGreaterThan(0);
	});

const exploreAll = async (scenario: Scenario): Promise<number> => {
	const {
		now: start = NOW,
		lag = -1,
		failures: maxFailures = 0,
		database: run = execute,
	} = scenario;
	const operations = Object.entries({ ...scenario.operations, ...scenario.afterwards });
	const concurrent = Object.keys(scenario.operations).length;
	const nameOf = (index: number): string => String(operations[index]?.[0]);

	const steps = new Map<string, Step>();
	const reach = async (
		key: string,
		from: Pick<Step, "operation" | "start" | "history">,
	): Promise<Step> => {
		const known = steps.get(key);
		if (known) return known;
		const [, operation] = operations[from.operation] as [string, Operation];
		const reached = await replay(operation, from.start, from.history);
		const step = { number: steps.size, ...from, ...reached };
		steps.set(key, step);
		return step;
	};
	const begin = (operation: number, start: number): Promise<Step> =>
		reach(`${operation} at ${start}`, { operation, start, history: [] });
	const see = ({ number, operation, start, history }: Step, seen: Seen): Promise<Step> =>
		reach(`${number}: ${JSON.stringify(seen)}`, { operation, start, history: [...history, seen] });

	const seen = new Set<string>();
	const isNew = ({ rows, earlier, late, now, failures, ticks, progress }: State): boolean => {
		const key = JSON.stringify([
			rowsText(rows),
			earlier.map(({ rows, until }) => `${until} ${rowsText(rows)}`).sort(),
			late.map((write) => JSON.stringify(write)).sort(),
			progress.map(({ step, before, crashed }) => [step.number, before, crashed]),
			[now, failures, ...ticks],
		]);
		return seen.size < seen.add(key).size;
	};

	const check = ({ progress, rows, failures, path }: State): void => {
		const byName = <Value>(value: (operation: Progress) => Value): Record<string, Value> =>
			Object.fromEntries(progress.map((one, index) => [nameOf(index), value(one)]));
		const outcomes = byName(({ step }) => step.outcome ?? "crash");
		const before = byName(({ before = [] }) => before.map(nameOf));
		try {
			scenario.check({ outcomes, before, rows, failures });
		} catch (error) {
			const trace = [...path, JSON.stringify(outcomes), JSON.stringify(rows)].join("\n");
			throw new Error(`${(error as Error).message}\nafter\n${trace}`, { cause: error });
		}
	};

	const recent = (earlier: readonly Earlier[], now: number): Earlier[] =>
		earlier.filter(({ until }) => now - until <= lag);

	const write = ({ earlier, rows, now }: State, after: Rows): Pick<State, "rows" | "earlier"> => {
		const seen = recent([...earlier, { rows, until: now }], now);
		return { rows: after, earlier: distinct(seen, ({ rows }) => rowsText(rows)) };
	};

	// What may happen without an operation.
	const pass = (state: State): State[] => {
		const { now, earlier, ticks, late, path } = state;
		const ticked = ticks.map((tick, at) => ({
			...state,
			now: now + tick,
			earlier: recent(earlier, now + tick),
			ticks: ticks.filter((_, other) => other !== at),
			path: [...path, `${tick} ms pass`],
		}));
		const landed = late.map((lands, at) => ({
			...state,
			...write(state, run(state.rows, ...lands)[1]),
			late: late.filter((_, other) => other !== at),
			path: [...path, `late: ${JSON.stringify(lands)}`],
		}));
		return [...ticked, ...landed];
	};

	// The responses that a call may get, each with the rows after it.
	const responsesTo = ({ rows, earlier }: State, ...call: Write): [Response, Rows][] => {
		if (isWrite(call) || earlier.length === 0) return [run(rows, ...call)];
		const responses = [{ rows }, ...earlier].map((seen) => run(seen.rows, ...call)[0]);
		return distinct(responses, JSON.stringify).map((response) => [response, rows]);
	};

	// The states that one call by an operation leads to.
	const proceed = async (state: State, index: number): Promise<State[]> => {
		const states: State[] = [];
		const by = nameOf(index);
		const now = state.now + (scenario.clocks?.[by] ?? 0);
		const { step: stood, before: begun } = state.progress[index] as Progress;
		const before = begun ?? state.progress.flatMap((other, at) => (hasEnded(other) ? [at] : []));
		const step = begun ? stood : await begin(index, now);
		const go = (call: string, progress: Partial<Progress>, change: Partial<State> = {}) => {
			const changed = { step, before, ...progress };
			states.push({
				...state,
				...change,
				progress: state.progress.map((other, at) => (at === index ? changed : other)),
				path: [...state.path, `${by}: ${call}`],
			});
		};
		// It reads its clock when it begins, and may stall before its first call.
		if (!begun && state.ticks.length > 0) go("begins", {});
		for (const { number: call, name, args } of step.pending) {
			const text = `${name} ${JSON.stringify(args[0])}`;
			for (const [response, rows] of responsesTo(state, name, args, by)) {
				const after = await see(step, { call, response, now });
				go(text, { step: after }, rows === state.rows ? {} : write(state, rows));
			}
			if (index >= concurrent || state.failures === maxFailures) continue;
			const failing: Write = [name, args, by];
			const late = isWrite(failing) ? [...state.late, failing] : state.late;
			const change = { failures: state.failures + 1, late };
			const failed = await see(step, { call, response: { error: "failure" }, now });
			go(`${text}, which fails`, { step: failed }, change);
			go(`${text}, at which it crashes`, { crashed: true }, change);
		}
		return states;
	};

	const next = async (state: State): Promise<State[]> => {
		const waiting = [...state.progress.keys()].filter(
			(index) => !hasEnded(state.progress[index] as Progress),
		);
		// What runs afterwards runs one after the other.
		const ready = waiting.filter((index) => index < concurrent || index === waiting[0]);
		const states = pass(state);
		// One after the other, because they share the clock.
		for (const index of ready) states.push(...(await proceed(state, index)));
		return states;
	};

	let ends = 0;
	const progress: Progress[] = [];
	for (const index of operations.keys()) progress.push({ step: await begin(index, start) });
	const { rows, ticks = [] } = scenario;
	const stack: State[] = [
		{ rows, earlier: [], late: [], now: start, failures: 0, ticks, progress, path: [] },
	];
	for (let state = stack.pop(); state; state = stack.pop()) {
		if (!isNew(state)) continue;
		if (state.progress.every(hasEnded)) {
			ends++;
			check(state);
		} else {
			stack.push(...(await next(state)));
		}
	}
	return ends;
};
