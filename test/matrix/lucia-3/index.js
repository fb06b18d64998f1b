// The adapters have names of their own: the tests beside would find these in place of those of Lucia 1.
export { LegacyScrypt, Lucia, verifyRequestOrigin } from "lucia";
export { Mysql2Adapter } from "adapter-mysql";
export { NodePostgresAdapter } from "adapter-postgresql";
export { BetterSqlite3Adapter, D1Adapter, LibSQLAdapter } from "adapter-sqlite";
