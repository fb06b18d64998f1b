import { createFault, type Fault } from "../support/faults.js";

/** Lets a call fail, as a fault does, and all calls after it before they take effect. */
export const createOutage = (): Fault => {
	const outage = createFault();
	const begin = (name: string): boolean => {
		const call = outage.calls.push(name) - 1;
		if (outage.at < 0 || call < outage.at) return false;
		if (call > outage.at || outage.when === "before") throw outage.error;
		return true;
	};
	return Object.assign(outage, {
		call: async <Result>(name: string, run: () => Promise<Result>): Promise<Result> => {
			const fails = begin(name);
			const result = await run();
			if (fails) throw outage.error;
			return result;
		},
		callSync: <Result>(name: string, run: () => Result): Result => {
			const fails = begin(name);
			const result = run();
			if (fails) throw outage.error;
			return result;
		},
	});
};
