import type { Adapter } from "lucia-auth";

type Call = (name: string, run: () => Promise<unknown>) => Promise<unknown>;

/** Intercepts each call to an adapter. */
export const intercept = (adapter: Adapter, call: Call): Adapter =>
	new Proxy(adapter, {
		get: (target, name: keyof Adapter) => {
			const method = target[name] as (...args: unknown[]) => Promise<unknown>;
			return (...args: unknown[]) => call(name, () => method(...args));
		},
	});

/** Lets these calls to an adapter fail. */
export const failing =
	(error: unknown, ...names: string[]) =>
	(adapter: Adapter): Adapter =>
		intercept(adapter, async (name, run) => {
			if (names.includes(name)) throw error;
			return run();
		});

export class DatabaseError extends Error {
	override name = "DatabaseError";
}

/** Lets calls to an adapter or a driver fail, before or after they have taken effect. */
export const createFault = () => {
	const fault = {
		/** The index of the first call that fails. With -1, no call fails. */
		at: -1,
		/** How many calls fail: one, unless the outage lasts longer. */
		lasts: 1,
		when: "before" as "before" | "after",
		/** The names of all calls so far. */
		calls: [] as string[],
		error: new DatabaseError("connection lost"),
		wrap: (adapter: Adapter): Adapter => intercept(adapter, fault.call),
		call: async <Result>(name: string, run: () => Promise<Result>): Promise<Result> => {
			const index = fault.calls.push(name) - 1;
			const fails = fault.at >= 0 && index >= fault.at && index < fault.at + fault.lasts;
			if (fails && fault.when === "before") throw fault.error;
			const result = await run();
			if (fails) throw fault.error;
			return result;
		},
	};
	return fault;
};
export type Fault = ReturnType<typeof createFault>;
