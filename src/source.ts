import type { KeyStore } from "./key-store.js";
import { type LuciaAuth, luciaStore } from "./stores/lucia.js";

/**
 * The store behind the first argument of `idToken()` and `passwordToken()`.
 *
 * @throws TypeError it is neither a `KeyStore` nor an initialized Lucia `Auth`
 */
export const toKeyStore = (source: LuciaAuth | KeyStore): KeyStore => {
	if (typeof source === "object" && source !== null) {
		if ("consume" in source) return source;
		if ("adapter" in source) return luciaStore(source);
	}
	throw new TypeError("auth must be an initialized Lucia Auth or a KeyStore");
};
