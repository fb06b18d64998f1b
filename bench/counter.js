/**
 * Counts calls of drivers' own methods, wherever they are made. A call within a call is none of its
 * own.
 *
 * @param methods pairs of a prototype and the names of its methods
 * @returns calls `call`, and returns how many statements it sent
 */
export const counter = (methods) => async (call) => {
	let statements = 0;
	let depth = 0;
	const restore = methods.flatMap(([prototype, names]) =>
		names.map((name) => {
			const original = prototype[name];
			prototype[name] = function (...values) {
				if (depth++ === 0) statements++;
				try {
					return original.apply(this, values);
				} finally {
					depth--;
				}
			};
			return () => {
				prototype[name] = original;
			};
		}),
	);
	try {
		await call();
	} finally {
		for (const undo of restore) undo();
	}
	return statements;
};
