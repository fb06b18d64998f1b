import type { Adapter } from "lucia-auth";

type Call = (name: string, run: () => Promise<unknown>) => Promise<unknown>;

/** Puts something between a caller and each call of an adapter. */
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

/** Lets one call of an adapter fail, before or after it has taken effect. */
export interface Fault {
	/** The number of the call that fails, from 0; none while it is -1. */
	at: number;
	when: "before" | "after";
	/** The calls that there were, by name. */
	readonly calls: string[];
	readonly wrap: (adapter: Adapter) => Adapter;
}

export const createFault = (): Fault => {
	const fault: Fault = {
		at: -1,
		when: "before",
		calls: [],
		wrap: (adapter) =>
			intercept(adapter, async (name, run) => {
				const fails = fault.calls.push(name) - 1 === fault.at;
				if (fails && fault.when === "before") throw new DatabaseError("connection lost");
				const result = await run();
				if (fails) throw new DatabaseError("connection lost");
				return result;
			}),
	};
	return fault;
};
