// The adapters have names of their own: the tests beside would find these in place of those of Lucia 1.
export { LegacyScrypt, Lucia, verifyRequestOrigin } from "lucia";
export { BetterSqlite3Adapter } from "adapter-sqlite";
