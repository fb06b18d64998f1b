/** Tells texts apart that nobody chooses to collide: FNV-1a, 32 bits. */
export const checksum = (text: string): number => {
	let hash = 0x811c9dc5;
	for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
	return hash >>> 0;
};

/** The most digits that a checksum has. */
export const CHECKSUM_LENGTH = "4294967295".length;
