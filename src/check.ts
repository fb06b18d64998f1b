interface Types {
	string: string;
	number: number;
	function: (...args: never[]) => unknown;
}

/**
 * Checks one option. One sentence says its type and its range; the class of the error says which of
 * the two it was.
 *
 * @throws TypeError the value is of another type
 * @throws RangeError the value is out of its range
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

/** Checks an option that is a whole number. */
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
