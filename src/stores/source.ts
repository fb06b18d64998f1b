import type { KeyStore } from "../key-store.js";
import { type LuciaAuth, luciaStore } from "./lucia.js";

const has = (source: unknown, member: string): boolean => member in Object(source);

/**
 * The store behind the first argument of `idToken()` and `passwordToken()`.
 *
 * @throws TypeError it is neither a `KeyStore` nor an initialized Lucia `Auth`
 */
export const toKeyStore = (source: LuciaAuth | KeyStore): KeyStore => {
	// Whatever has the one is a store, even where it has the other, too.
	if (has(source, "consume")) return source as KeyStore;
	if (has(source, "adapter")) return luciaStore(source as LuciaAuth);
	throw new TypeError("auth must be an initialized Lucia Auth or a KeyStore");
};
