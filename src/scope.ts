/** Where to find a token's key: its id begins with `prefix`. */
export interface Scope {
	readonly prefix: string;
	/** The user who must own the key. Without it, any user may. */
	readonly userId?: string;
}

/** The keys of one user. */
export interface UserScope extends Required<Scope> {
	/** What the ids of the user's tries and intervals begin with. */
	readonly marked: string;
}
