/** What a run consists of. */
export const PLANS = {
	quick: {
		rounds: 2,
		milliseconds: 10,
		underWay: [1, 8],
		tokens: [1, 20],
		listRounds: 2,
		listMilliseconds: 5,
		mostTokens: { direct: 1_000, delayed: 100 },
		generator: { rounds: 2, strings: 20_000 },
		imports: { rounds: 1 },
	},
	full: {
		rounds: 7,
		milliseconds: 60,
		underWay: [1, 8, 64],
		tokens: [1, 10, 100, 1_000, 10_000],
		listRounds: 5,
		listMilliseconds: 15,
		// Of all users at once, unless it is one. More would take hours, most of them by contenders that
		// delete tokens one by one.
		mostTokens: { direct: 1_000, delayed: 1_000 },
		generator: { rounds: 15, strings: 100_000 },
		imports: { rounds: 7 },
	},
};
PLANS.whole = { ...PLANS.full, mostTokens: { direct: Infinity, delayed: Infinity } };

/** Connections of the one pool that all contenders share. */
export const CONNECTIONS = 10;

/** Of the proxy, for each direction, in milliseconds. */
export const DELAY = 1;
