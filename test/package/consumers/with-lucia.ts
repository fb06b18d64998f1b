import { idToken, LuciaTokenError, passwordToken, Token } from "@lucia-auth/tokens";
import { betterSqlite3 } from "@lucia-auth/adapter-sqlite";
import Database from "libsql";
import lucia from "lucia-auth";

declare global {
	namespace Lucia {
		type Auth = typeof auth;
		type UserAttributes = object;
	}
}

const db = new Database(":memory:");
db.exec(process.env["SCHEMA"] ?? "");
export const auth = lucia({ adapter: betterSqlite3(db as never), env: "DEV" });

const user: { userId: string } = await auth.createUser({ primaryKey: null, attributes: {} });
const link = idToken(auth, "magic-link", { expiresIn: 600 });
const code = passwordToken(auth, "code", { expiresIn: 300 });

const token: Token = await link.issue(user.userId);
const used = await link.validate(token.toString());
const again = await link.validate(token).catch((error: unknown) => error);
const typed = await code.validate((await code.issue(user.userId)).toString(), user.userId);

const works =
	used.userId === user.userId &&
	typed.userId === user.userId &&
	again instanceof LuciaTokenError &&
	again.message === "INVALID_TOKEN";
console.log(works ? "works" : "fails");
