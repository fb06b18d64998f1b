// The adapters have names of their own: the tests beside would find these in place of those of Lucia 1.
export { lucia } from "lucia";
export { node } from "lucia/middleware";
export { betterSqlite3 as sqliteAdapter } from "adapter-sqlite";
