/** What a run consists of. */
export const PLANS = {
	quick: {
		underWay: [1, 8],
		turns: { rounds: 2, milliseconds: 1, warmUp: 0 },
		tokens: [1, 20],
		listTurns: { rounds: 2, milliseconds: 1, warmUp: 0 },
		generator: { rounds: 2, strings: 20_000 },
		imports: { rounds: 1 },
		growth: { sizes: [1_000], calls: 3, milliseconds: 1, most: 20 },
		sweep: { users: 2_000, expired: 2_000, before: 100 },
	},
	full: {
		underWay: [1, 8, 64],
		// Many short turns rather than few long ones: what disturbs one round then is a small part.
		turns: { rounds: 50, milliseconds: 10, warmUp: 250 },
		tokens: [1, 10, 100, 1_000, 10_000],
		// A contender that deletes 640,000 tokens one by one takes minutes, so it gets one turn.
		listTurns: { rounds: 5, milliseconds: 15, warmUp: 0, patience: 5_000 },
		generator: { rounds: 15, strings: 100_000 },
		imports: { rounds: 7 },
		growth: { sizes: [1e4, 1e6, 5e6], calls: 60, milliseconds: 3_000, most: 10_000 },
		sweep: { users: 1_500_000, expired: 1_500_000, before: 8_000 },
	},
};

/**
 * The number of connections in the pool that all contenders share. Each number of calls in flight is a
 * multiple or a divisor of it. Otherwise connections would be idle at the end of a turn, most of all for
 * contenders with few statements.
 */
export const CONNECTIONS = 8;

/** The proxy's delay in each direction, in milliseconds. With its own overhead, it adds about 2 in all. */
export const DELAY = 0.9;
