// Makes a handler and nothing else. In a file, since Node has a global `crypto` for `--eval`.
import { idToken } from "@lucia-auth/tokens";
import { betterSqlite3 } from "@lucia-auth/tokens/better-sqlite3";

idToken(betterSqlite3({ prepare() {} }), "link", { expiresIn: 60 });
