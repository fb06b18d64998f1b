import type { Adapter } from "lucia-auth";

type Call = (name: string, run: () => Promise<unknown>) => Promise<unknown>;

/** Intercepts each call of an adapter. */
export const intercept = (adapter: Adapter, call: Call): Adapter =>
	new Proxy(adapter, {
		get: (target, name: keyof Adapter) => {
			const method = target[name] as (...args: unknown[]) => Promise<unknown>;
			return (...args: unknown[]) => call(name, () => method(...args));
		},
	});

export class DatabaseError extends Error {
	override name = "DatabaseError";
}

/** Lets calls of an adapter or a driver fail, before or after they have taken effect. */
export interface Fault {
	/** The index of the first call that fails. With -1, no call fails. */
	at: number;
	/** How many calls fail: one, unless the outage lasts longer. */
	lasts: number;
	when: "before" | "after";
	/** The names of all calls so far. */
	readonly calls: string[];
	/** What a call fails with. */
	readonly error: DatabaseError;
	readonly wrap: (adapter: Adapter) => Adapter;
	readonly call: <Result>(name: string, run: () => Promise<Result>) => Promise<Result>;
}

export const createFault = (): Fault => {
	const begin = (name: string): boolean => {
		const index = fault.calls.push(name) - 1;
		const fails = fault.at >= 0 && index >= fault.at && index < fault.at + fault.lasts;
		if (fails && fault.when === "before") throw fault.error;
		return fails;
	};
	const fault: Fault = {
		at: -1,
		lasts: 1,
		when: "before",
		calls: [],
		error: new DatabaseError("connection lost"),
		wrap: (adapter) => intercept(adapter, fault.call),
		call: async (name, run) => {
			const fails = begin(name);
			const result = await run();
			if (fails) throw fault.error;
			return result;
		},
	};
	return fault;
};
