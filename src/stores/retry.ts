const MAX_RETRIES = 5;

/**
 * Runs a statement. If the database rolls it back to let another one proceed, runs it again, up to five
 * times.
 *
 * @param isRolledBack whether an error says that the database rolled the statement back
 * @param isAborted whether an error says that an earlier statement failed in the same transaction. The
 * transaction is then the caller's, and the caller gets the first error
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
