/** The one place that reads the clock. @returns epoch milliseconds */
export const now = (): number => Date.now();

/**
 * The one place that turns seconds into milliseconds.
 *
 * @param seconds a duration in seconds
 * @returns the moment that long from now, in whole epoch milliseconds
 */
export const secondsFromNow = (seconds: number): number => Math.trunc(now() + seconds * 1000);

/**
 * A token is good up to and including its last millisecond, as in Lucia.
 *
 * @param expires epoch milliseconds
 * @param at the moment asked about, in epoch milliseconds
 */
export const isExpired = (expires: number, at: number): boolean => at > expires;
