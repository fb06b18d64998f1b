/** The same call, repeated for as long as it fails with a deadlock. */
export function again<Args extends unknown[], Result>(
	call: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result>;
