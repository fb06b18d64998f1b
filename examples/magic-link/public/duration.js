/**
 * Formats a duration in words, rounded down to whole seconds. Both the server and the browser use it.
 *
 * @param {number} milliseconds
 */
export const inWords = (milliseconds) => {
	const total = Math.max(0, Math.floor(milliseconds / 1000));
	const parts = [
		[Math.floor(total / 3600), "h"],
		[Math.floor(total / 60) % 60, "min"],
		[total % 60, "s"],
	].filter(([count]) => count !== 0);
	return parts.length === 0 ? "0 s" : parts.map((part) => part.join(" ")).join(" ");
};

/** @param {number} milliseconds */
export const timeLeft = (milliseconds) => (milliseconds < 0 ? "expired" : inWords(milliseconds));
