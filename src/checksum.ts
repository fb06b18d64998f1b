/**
 * A 32-bit hash that tells texts apart (FNV-1a). It is not cryptographic: use it only where nobody gains
 * from a collision.
 */
export const checksum = (text: string): number => {
	let hash = 0x811c9dc5;
	for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
	return hash >>> 0;
};

/** The maximum number of digits in a checksum. */
export const CHECKSUM_LENGTH = "4294967295".length;
