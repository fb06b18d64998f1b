/** What a run consists of. */
export const PLANS = {
	quick: {
		underWay: [1, 8],
		turns: { rounds: 2, milliseconds: 1, warmUp: 0 },
		tokens: [1, 20],
		listTurns: { rounds: 2, milliseconds: 1, warmUp: 0 },
		generator: { rounds: 2, strings: 20_000 },
		imports: { rounds: 1 },
	},
	full: {
		underWay: [1, 8, 64],
		// Many short turns rather than few long ones: what disturbs one round then is a small part.
		turns: { rounds: 50, milliseconds: 10, warmUp: 250 },
		tokens: [1, 10, 100, 1_000, 10_000],
		// Who deletes 640,000 tokens one by one takes minutes, and does so once.
		listTurns: { rounds: 5, milliseconds: 15, warmUp: 0, patience: 5_000 },
		generator: { rounds: 15, strings: 100_000 },
		imports: { rounds: 7 },
	},
};

/**
 * Connections of the one pool that all contenders share. All numbers of calls in flight are multiples
 * of it or divide it, or else some connections would be idle at the end, and more so for who needs
 * fewer statements.
 */
export const CONNECTIONS = 8;

/** Of the proxy, for each direction, in milliseconds: about 2 for both, with what it takes itself. */
export const DELAY = 0.9;
