const MAX_RETRIES = 5;

/**
 * Runs a statement, and runs it again, up to five times, where the database has rolled it back so that
 * another may go on.
 *
 * @param isRolledBack whether an error says that it has
 * @param isAborted whether an error says that the statement before has failed in the same transaction. It
 * is then one of the caller's, who gets the error that came first.
 */
export const retry = async <Result>(
	run: () => Promise<Result>,
	isRolledBack: (error: unknown) => boolean,
	isAborted: (error: unknown) => boolean = () => false,
): Promise<Result> => {
	let first: unknown;
	for (let retries = 0; ; retries++) {
		try {
			return await run();
		} catch (error) {
			if (retries > 0 && isAborted(error)) throw first;
			if (retries === MAX_RETRIES || !isRolledBack(error)) throw error;
			first ??= error;
		}
	}
};
