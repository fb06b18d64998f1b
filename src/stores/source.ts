import type { KeyStore } from "../key-store.js";
import { type LuciaAuth, luciaStore } from "./lucia.js";

const has = (source: unknown, member: string): boolean => member in Object(source);

/**
 * Turns the first argument of `idToken()` or `passwordToken()` into a store.
 *
 * @throws TypeError the argument is neither a `KeyStore` nor an initialized Lucia `Auth`
 */
export const toKeyStore = (source: LuciaAuth | KeyStore): KeyStore => {
	// A store may have an `adapter`, too; an `Auth` has no `consume`.
	if (has(source, "consume")) return source as KeyStore;
	if (has(source, "adapter")) return luciaStore(source as LuciaAuth);
	throw new TypeError("auth must be an initialized Lucia Auth or a KeyStore");
};
