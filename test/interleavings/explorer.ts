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
	/** How many calls of the database may fail, before or after they take effect, or end their process. */
	readonly faults?: number;
	/** How many milliseconds may pass at any moment, each once. */
	readonly ticks?: readonly number[];
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
}

/** The answer to one call of an operation, and when it came. */
interface Seen {
	readonly call: number;
	readonly answer: Answer;
	readonly now: number;
}

/** The state of an operation after the answers it has seen. */
interface Step {
	readonly number: number;
	readonly operation: number;
	readonly start: number;
	readonly history: readonly Seen[];
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

interface State {
	readonly rows: Rows;
	readonly now: number;
	readonly faults: number;
	readonly ticks: readonly number[];
	readonly progress: readonly Progress[];
	/** The calls that led here. */
	readonly path: Path | null;
}

interface Path {
	readonly call: string;
	readonly before: Path | null;
}

const toText = (path: Path | null): string => (path ? `${toText(path.before)}\n${path.call}` : "");

export interface Exploration {
	readonly states: number;
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
	const run = scenario.database ?? execute(scenario.users);

	const steps = new Map<string, Step>();
	const reach = async (
		operation: number,
		start: number,
		history: readonly Seen[],
	): Promise<Step> => {
		const key = JSON.stringify([operation, start, history]);
		const known = steps.get(key);
		if (known) return known;
		const [, call] = operations[operation] as [string, Operation];
		const reached = await replay(call, start, history);
		const step = { number: steps.size, operation, start, history, ...reached };
		steps.set(key, step);
		return step;
	};

	const seen = new Set<string>();
	const isNew = ({ rows, now, faults, ticks, progress }: State): boolean => {
		const key = JSON.stringify([
			rows.map(({ id, expires, by }) => `${id} ${expires} ${by}`).sort(),
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

	// The states that one call leads to from here.
	const next = async (state: State): Promise<State[]> => {
		const states: State[] = [];
		for (const [at, tick] of state.ticks.entries()) {
			states.push({
				...state,
				now: state.now + tick,
				ticks: state.ticks.filter((_, other) => other !== at),
				path: { call: `${tick} ms pass`, before: state.path },
			});
		}

		const waiting = state.progress.filter((progress) => !hasEnded(progress));
		const [first] = waiting.map(({ step }) => step.operation);
		for (const { step: stood, before } of waiting) {
			const index = stood.operation;
			// What runs afterwards runs one after the other.
			if (index >= concurrent && index !== first) continue;
			const ended = operations
				.map((_, other) => other)
				.filter((other) => hasEnded(state.progress[other] as Progress));
			// An operation that has not begun yet begins with its first call.
			const step = before ? stood : await reach(index, state.now, []);
			for (const { number, name, args } of step.pending) {
				const by = String(operations[index]?.[0]);
				const what = `${by}: ${name} ${JSON.stringify(args[0])}`;
				const go = (call: string, progress: Partial<Progress>, change: Partial<State> = {}) => {
					const changed = { step, before: before ?? ended, ...progress };
					states.push({
						...state,
						...change,
						progress: state.progress.map((other, at) => (at === index ? changed : other)),
						path: { call, before: state.path },
					});
				};
				const see = (answer: Answer): Promise<Step> =>
					reach(index, step.start, [...step.history, { call: number, answer, now: state.now }]);

				const [answer, rows] = run(state.rows, name, args, by);
				go(what, { step: await see(answer) }, { rows });
				if (index >= concurrent || state.faults === (scenario.faults ?? 0)) continue;
				const faults = state.faults + 1;
				const failed = await see({ error: "fault" });
				go(`${what}, which fails`, { step: failed }, { faults });
				go(`${what}, whose answer is lost`, { step: failed }, { faults, rows });
				go(`${what}, before which it crashes`, { crashed: true }, { faults });
				go(`${what}, after which it crashes`, { crashed: true }, { faults, rows });
			}
		}
		return states;
	};

	let ends = 0;
	const stack: State[] = [
		{
			rows: scenario.rows,
			now: scenario.now,
			faults: 0,
			ticks: scenario.ticks ?? [],
			progress: await Promise.all(
				operations.map(async (_, index) => ({ step: await reach(index, scenario.now, []) })),
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
	return { states: seen.size, ends };
};

const hasEnded = ({ step, crashed }: Progress): boolean =>
	crashed === true || step.outcome !== undefined;
