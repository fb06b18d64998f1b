/** Where a token's key is stored: under an id that begins with `prefix`. */
export interface Scope {
	readonly prefix: string;
	/** The only user whose keys are meant; without it, anyone's. */
	readonly userId?: string;
}

/** The keys of one user. */
export interface UserScope extends Required<Scope> {
	/** How the ids begin of the marked keys that say something of this user's tokens. */
	readonly marked: string;
}
