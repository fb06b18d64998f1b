import { codeCases } from "./testing/codes.js";
import type { KeyStoreCase } from "./testing/harness.js";
import { keyCases } from "./testing/keys.js";
import { userCases } from "./testing/users.js";

export type { KeyStoreCase, KeyStoreHarness, KeyStoreRow } from "./testing/harness.js";

/**
 * The cases that every `KeyStore` passes. Run them with any test runner to test a store of your own.
 *
 * They create users and keys with random ids and touch nothing else, so they can share a database. Run
 * them one after the other. Turn foreign keys on, as in production. Where your store leaves an optional
 * operation out, its cases test what handlers do in its place. Where your database holds no login keys, such
 * as a table of tokens alone, pass `hasLoginKeys: false`.
 *
 * @example
 * for (const { name, run } of keyStoreCases) {
 * 	test(name, () => run({ store, createUser, insertRow, getRows }));
 * }
 */
export const keyStoreCases: readonly KeyStoreCase[] = [...keyCases, ...codeCases, ...userCases];
