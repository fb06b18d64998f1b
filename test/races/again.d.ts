/** Turns calls on a store into those that its users make: on the default store, repeated after a deadlock. */
export function callingOn(
	store: "default" | "native",
): <Args extends unknown[], Result>(
	call: (...args: Args) => Promise<Result>,
) => (...args: Args) => Promise<Result>;
