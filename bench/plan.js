/** What a run consists of. */
export const PLANS = {
	quick: {
		rounds: 2,
		milliseconds: 10,
		underWay: [1, 8],
		tokens: [1, 20],
		listRounds: 2,
		listMilliseconds: 5,
		generator: { rounds: 2, strings: 20_000 },
		imports: { rounds: 1 },
	},
	full: {
		// Many short turns rather than few long ones: what disturbs one round then is a small part.
		rounds: 75,
		milliseconds: 10,
		underWay: [1, 8, 64],
		tokens: [1, 10, 100, 1_000, 10_000],
		listRounds: 5,
		listMilliseconds: 15,
		// Who deletes 640,000 tokens one by one takes minutes, and does so once.
		patience: 5_000,
		generator: { rounds: 15, strings: 100_000 },
		imports: { rounds: 7 },
	},
};

/** Connections of the one pool that all contenders share. */
export const CONNECTIONS = 10;

/** Of the proxy, for each direction, in milliseconds. */
export const DELAY = 1;
