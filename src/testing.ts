import type { KeyStoreCase } from "./testing/harness.js";
import { keyCases } from "./testing/keys.js";
import { userCases } from "./testing/users.js";

export type { KeyStoreCase, KeyStoreHarness, KeyStoreRow } from "./testing/harness.js";

/**
 * What every `KeyStore` does, as cases for any test runner: the test of a store of one's own.
 *
 * They make users and keys of their own with random ids and ask for nothing else in the database,
 * so that they may share it, one after the other. Foreign keys should be enforced, as in production.
 *
 * @example
 * for (const { name, run } of keyStoreCases) {
 * 	test(name, () => run({ store, createUser, insertRow, getRows }));
 * }
 */
export const keyStoreCases: readonly KeyStoreCase[] = [...keyCases, ...userCases];
