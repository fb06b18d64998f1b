/**
 * The current time. Nothing else in this library reads the clock.
 *
 * @returns epoch milliseconds
 */
export const now = (): number => Date.now();

/**
 * How far the clocks of an app's machines may differ, together with how far reads may lag behind, in
 * milliseconds.
 */
export const MAX_SKEW = 3 * 60 * 1000;

/**
 * Adds a duration to the current time.
 *
 * @param seconds a duration in seconds
 * @returns the time in whole epoch milliseconds
 */
export const secondsFromNow = (seconds: number): number => Math.trunc(now() + seconds * 1000);

/**
 * Whether a token has expired. It is valid up to and including its last millisecond, as in Lucia.
 *
 * @param expires epoch milliseconds
 * @param at the time to check, in epoch milliseconds
 */
export const isExpired = (expires: number, at: number): boolean => at > expires;
