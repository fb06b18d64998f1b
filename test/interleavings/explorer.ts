import type { KeySchema } from "lucia-auth";
import { vi } from "vitest";
import type { LuciaAuth } from "../../src/index.js";

/** What one call of the library does, with an `auth` of its own. @returns what it resolved with */
export type Operation = (auth: LuciaAuth) => Promise<unknown>;

export interface Scenario {
	/** The time at the start, in epoch milliseconds. */
	readonly now: number;
	readonly users: readonly string[];
	readonly rows: readonly Row[];
	/** They run at once, in every order of their calls of the database. */
	readonly operations: Readonly<Record<string, Operation>>;
	/** They run one after the other when all others have ended. */
	readonly afterwards?: Readonly<Record<string, Operation>>;
	/**
	 * How many calls of the database may fail or end their process. If such a call is a write, it takes effect
	 * at any moment from then on, or never.
	 */
	readonly faults?: number;
	/** How old a state of the rows reads may see, in milliseconds, as on a replica that lags behind. */
	readonly lag?: number;
	/** How many milliseconds may pass at any moment, each once. */
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

/** How a run has ended. */
export interface End {
	/** `"ok"`, the message of an error, or `"crash"`, by the name of the operation. */
	readonly outcomes: Readonly<Record<string, string>>;
	/** The operations that had ended when this one began. */
	readonly before: Readonly<Record<string, readonly string[]>>;
	readonly rows: readonly Row[];
	readonly faults: number;
}

type Answer = { readonly value: unknown } | { readonly error: string };
type Rows = readonly Row[];

/** One call of the database by an operation. @returns its answer, and the rows after it */
export type Execute = (
	rows: Rows,
	name: string,
	args: readonly unknown[],
	by: string,
) => [Answer, Rows];

const toKey = ({ id, user_id, expires }: Row): KeySchema => ({
	id,
	user_id,
	expires,
	primary_key: false,
	hashed_password: null,
});

/** What Lucia's adapters do, each call in one atomic step. */
export const execute =
	(users: readonly string[]): Execute =>
	(rows, name, [argument], by) => {
		if (name === "getKey") {
			const row = rows.find(({ id }) => id === argument);
			return [{ value: row ? toKey(row) : null }, rows];
		}
		if (name === "getKeysByUserId") {
			return [{ value: rows.filter(({ user_id }) => user_id === argument).map(toKey) }, rows];
		}
		if (name === "getUser") {
			return [{ value: users.includes(argument as string) ? { id: argument } : null }, rows];
		}
		if (name === "deleteNonPrimaryKey") {
			return [{ value: undefined }, rows.filter(({ id }) => id !== argument)];
		}
		const { id, user_id, expires } = argument as Row;
		if (name !== "setKey") throw new Error(`no such call: ${name}`);
		if (!users.includes(user_id)) return [{ error: "AUTH_INVALID_USER_ID" }, rows];
		if (rows.some((row) => row.id === id)) return [{ error: "AUTH_DUPLICATE_KEY_ID" }, rows];
		return [{ value: undefined }, [...rows, { id, user_id, expires, by }]];
	};

interface Call {
	readonly number: number;
	readonly name: string;
	readonly args: readonly unknown[];
	readonly text: string;
}

/** The answer to one call of an operation, and when it came. */
interface Seen {
	readonly call: number;
	readonly answer: Answer;
	readonly now: number;
}

interface Beginning {
	readonly operation: number;
	readonly start: number;
	readonly history: readonly Seen[];
}

/** The state of an operation after the answers it has seen. */
interface Step extends Beginning {
	readonly number: number;
	readonly outcome?: string;
	/** The calls of the database that wait for their answers. */
	readonly pending: readonly Call[];
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const replay = async (
	operation: Operation,
	start: number,
	history: readonly Seen[],
): Promise<Pick<Step, "outcome" | "pending">> => {
	const calls: (Call & { settle: (answer: Answer) => void })[] = [];
	const adapter = new Proxy(
		{},
		{
			get:
				(_, name: string) =>
				(...args: unknown[]) =>
					new Promise((resolve, reject) => {
						calls.push({
							number: calls.length,
							name,
							args,
							text: `${name} ${JSON.stringify(args[0])}`,
							settle: (answer) =>
								"error" in answer ? reject(new Error(answer.error)) : resolve(answer.value),
						});
					}),
		},
	);
	let outcome: string | undefined;
	vi.setSystemTime(start);
	operation({ adapter } as unknown as LuciaAuth).then(
		() => (outcome = "ok"),
		(error: Error) => (outcome = error.message),
	);
	await settle();
	for (const { call, answer, now } of history) {
		vi.setSystemTime(now);
		calls[call]?.settle(answer);
		await settle();
	}
	const answered = new Set(history.map(({ call }) => call));
	const pending = calls.filter(({ number }) => !answered.has(number));
	return outcome === undefined ? { pending } : { outcome, pending };
};

/** An operation in a state. */
interface Progress {
	readonly step: Step;
	/** The operations that had ended when it began; `undefined` while it has not. */
	readonly before?: readonly number[];
	readonly crashed?: true;
}

/** A state of the rows that was current until some moment. */
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
	readonly faults: number;
	readonly ticks: readonly number[];
	readonly progress: readonly Progress[];
	/** The calls that led here. */
	readonly path: Path | null;
}

type Write = readonly [name: string, args: readonly unknown[], by: string];

interface Path {
	readonly call: string;
	readonly before: Path | null;
}

const toText = (path: Path | null): string => (path ? `${toText(path.before)}\n${path.call}` : "");

const texts = new WeakMap<Rows, string>();

const rowsText = (rows: Rows): string => {
	const known = texts.get(rows);
	if (known !== undefined) return known;
	const ids = rows.map(({ id, expires, by }) => `${id} ${expires} ${by}`);
	const text = ids.sort().join("\n");
	texts.set(rows, text);
	return text;
};

const distinct = <Value>(values: readonly Value[], text: (value: Value) => string): Value[] => [
	...new Map(values.map((value) => [text(value), value])).values(),
];

export interface Exploration {
	/** How many different ends there are. */
	readonly ends: number;
}

/**
 * Runs operations in every interleaving of their calls of the database, with every place of the faults.
 *
 * What an operation does next depends only on the answers it has seen. So each history of answers is
 * replayed once, and the states are explored as data: a state is the rows, the time, and the answers that
 * each operation has seen. No state is explored twice.
 *
 * @throws Error the error that `check` threw, with the calls that led to it
 */
export const explore = async (scenario: Scenario): Promise<Exploration> => {
	const operations = Object.entries({ ...scenario.operations, ...scenario.afterwards });
	const concurrent = Object.keys(scenario.operations).length;
	const names = operations.map(([name]) => name);
	const run = scenario.database ?? execute(scenario.users);

	const steps = new Map<string, Step>();
	const reach = async (key: string, from: Beginning): Promise<Step> => {
		const known = steps.get(key);
		if (known) return known;
		const [, call] = operations[from.operation] as [string, Operation];
		const reached = await replay(call, from.start, from.history);
		const step = { number: steps.size, ...from, ...reached };
		steps.set(key, step);
		return step;
	};
	const begin = (operation: number, start: number): Promise<Step> =>
		reach(`${operation} at ${start}`, { operation, start, history: [] });
	const see = ({ number, operation, start, history }: Step, answer: Seen): Promise<Step> =>
		reach(`${number}: ${JSON.stringify(answer)}`, {
			operation,
			start,
			history: [...history, answer],
		});

	const seen = new Set<string>();
	const isNew = ({ rows, earlier, late, now, faults, ticks, progress }: State): boolean => {
		const key = JSON.stringify([
			rowsText(rows),
			earlier.map(({ rows, until }) => `${until} ${rowsText(rows)}`).sort(),
			late.map((write) => JSON.stringify(write)).sort(),
			progress.map(({ step, before, crashed }) => [step.number, before, crashed]),
			[now, faults, ...ticks],
		]);
		return seen.size < seen.add(key).size;
	};

	const check = ({ progress, rows, faults, path }: State): void => {
		const byName = <Value>(value: (operation: Progress) => Value): Record<string, Value> =>
			Object.fromEntries(
				operations.map(([name], index) => [name, value(progress[index] as Progress)]),
			);
		const outcomes = byName(({ step }) => step.outcome ?? "crash");
		const before = byName(({ before = [] }) =>
			before.map((index) => (operations[index] as [string, Operation])[0]),
		);
		try {
			scenario.check({ outcomes, before, rows, faults });
		} catch (error) {
			const trace = `${toText(path)}\n${JSON.stringify(outcomes)}\n${JSON.stringify(rows)}`;
			throw new Error(`${(error as Error).message}\nafter${trace}`, { cause: error });
		}
	};

	const { lag = -1 } = scenario;
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
			path: { call: `${tick} ms pass`, before: path },
		}));
		const landed = late.map((lands, at) => ({
			...state,
			...write(state, run(state.rows, ...lands)[1]),
			late: late.filter((_, other) => other !== at),
			path: { call: `late: ${JSON.stringify(lands)}`, before: path },
		}));
		return [...ticked, ...landed];
	};

	// The answers that a call may get, each with the rows after it.
	const answersTo = ({ rows, earlier }: State, ...call: Write): [Answer, Rows][] => {
		if (isWrite(call) || earlier.length === 0) return [run(rows, ...call)];
		const answers = [{ rows }, ...earlier].map((seen) => run(seen.rows, ...call)[0]);
		return distinct(answers, JSON.stringify).map((answer) => [answer, rows]);
	};

	// The states that one call of an operation leads to.
	const proceed = async (state: State, index: number): Promise<State[]> => {
		const states: State[] = [];
		const [by, clock] = [names[index] as string, scenario.clocks?.[names[index] as string] ?? 0];
		const { step: stood, before: begun } = state.progress[index] as Progress;
		const before = begun ?? state.progress.flatMap((other, at) => (hasEnded(other) ? [at] : []));
		const step = begun ? stood : await begin(index, state.now + clock);
		const go = (call: string, progress: Partial<Progress>, change: Partial<State> = {}) => {
			const changed = { step, before, ...progress };
			states.push({
				...state,
				...change,
				progress: state.progress.map((other, at) => (at === index ? changed : other)),
				path: { call: `${by}: ${call}`, before: state.path },
			});
		};
		// It reads its clock when it begins, and may stall before its first call.
		if (!begun && state.ticks.length > 0) go("begins", {});
		for (const { number, name, args, text } of step.pending) {
			const now = state.now + clock;
			for (const [answer, rows] of answersTo(state, name, args, by)) {
				const answered = await see(step, { call: number, answer, now });
				go(text, { step: answered }, rows === state.rows ? {} : write(state, rows));
			}
			if (index >= concurrent || state.faults === (scenario.faults ?? 0)) continue;
			const call: Write = [name, args, by];
			const late = isWrite(call) ? [...state.late, call] : state.late;
			const change = { faults: state.faults + 1, late };
			const failed = await see(step, { call: number, answer: { error: "fault" }, now });
			go(`${text}, which fails`, { step: failed }, change);
			go(`${text}, at which it crashes`, { crashed: true }, change);
		}
		return states;
	};

	const next = async (state: State): Promise<State[]> => {
		const waiting = state.progress.flatMap((progress, index) =>
			hasEnded(progress) ? [] : [index],
		);
		// What runs afterwards runs one after the other.
		const ready = waiting.filter((index) => index < concurrent || index === waiting[0]);
		const states = pass(state);
		// One after the other, because they share the clock.
		for (const index of ready) states.push(...(await proceed(state, index)));
		return states;
	};

	let ends = 0;
	const stack: State[] = [
		{
			rows: scenario.rows,
			earlier: [],
			late: [],
			now: scenario.now,
			faults: 0,
			ticks: scenario.ticks ?? [],
			progress: await Promise.all(
				operations.map(async (_, index) => ({ step: await begin(index, scenario.now) })),
			),
			path: null,
		},
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
	return { ends };
};

const isWrite = ([name]: Write): boolean => !name.startsWith("get");

const hasEnded = ({ step, crashed }: Progress): boolean =>
	crashed === true || step.outcome !== undefined;
