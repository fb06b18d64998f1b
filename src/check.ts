interface Types {
	string: string;
	number: number;
	function: (...args: never[]) => unknown;
}

/**
 * Checks one option. The error's message gives the expected type and range. Its class tells which of the
 * two is wrong.
 *
 * @throws TypeError the value is of the wrong type
 * @throws RangeError the value is out of range
 */
export function check<Type extends keyof Types>(
	option: string,
	value: unknown,
	type: Type,
	inRange: (value: Types[Type]) => boolean,
	expected: string,
): asserts value is Types[Type] {
	const ofType = typeof value === type;
	if (ofType && inRange(value as Types[Type])) return;
	throw new (ofType ? RangeError : TypeError)(`${option} must be ${expected}`);
}

/** Checks that an option is a whole number from `min` to `max`. */
export function checkWhole(
	option: string,
	value: unknown,
	min: number,
	max: number,
	orInfinity = false,
): asserts value is number {
	check(
		option,
		value,
		"number",
		(value) =>
			(Number.isInteger(value) && value >= min && value <= max) ||
			(orInfinity && value === Infinity),
		`a whole number from ${min} to ${max}${orInfinity ? ", or Infinity" : ""}`,
	);
}

/**
 * Copies an object of options. A misspelled option must not be ignored, because the app would then get a
 * token without a limit or a binding. Nor must `Object.prototype` set an option that the app did not.
 *
 * @param names the options that there are
 * @param what what the object is called
 * @returns a copy without a prototype; an empty one for `undefined`
 * @throws TypeError `options` is not an object, or has an option that is unknown or inherited
 */
export const ownOptions = <Name extends string>(
	options: unknown,
	names: readonly Name[],
	what = "options",
): { readonly [Option in Name]?: unknown } => {
	const given = (options === undefined ? {} : options) as object;
	// A promise or a map has no properties of its own, and would count as no options at all.
	if (Object.prototype.toString.call(given) !== "[object Object]") {
		throw new TypeError(`${what} must be an object`);
	}
	for (const name of Reflect.ownKeys(given)) {
		if (!(names as readonly unknown[]).includes(name)) {
			throw new TypeError(`${String(name)} is not an option: the options are ${names.join(", ")}`);
		}
	}
	for (const name of names) {
		if (name in given && !Object.hasOwn(given, name)) {
			throw new TypeError(`${name} must be an own property of ${what}, but it is inherited`);
		}
	}
	// Not a spread, which leaves out properties that are not enumerable.
	const own = Object.create(null) as { [Option in Name]?: unknown };
	for (const name of names) {
		if (name in given) own[name] = (given as Record<Name, unknown>)[name];
	}
	return own;
};
