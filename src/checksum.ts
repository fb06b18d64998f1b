/** Tells texts apart that nobody chooses to fall together: 32 bits of FNV-1a, in hexadecimal digits. */
export const checksum = (text: string): string => {
	let hash = 0x811c9dc5;
	for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
	return (hash >>> 0).toString(16);
};
