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
