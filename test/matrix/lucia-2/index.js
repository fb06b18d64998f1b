// The adapters have names of their own: the tests beside would find these in place of those of Lucia 1.
export { lucia } from "lucia";
export { node } from "lucia/middleware";
export { mysql2 as mysqlAdapter } from "adapter-mysql";
export { pg as pgAdapter } from "adapter-postgresql";
export {
	betterSqlite3 as sqliteAdapter,
	d1 as d1Adapter,
	libsql as libsqlAdapter,
} from "adapter-sqlite";
