/** Where a token's key is stored: under an id that begins with `prefix`. */
export interface Scope {
	readonly prefix: string;
	/** The only user whose keys are meant; without it, anyone's. */
	readonly userId?: string;
}

/** The keys of one user. */
export type UserScope = Required<Scope>;
