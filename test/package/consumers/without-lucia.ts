import { idToken, LuciaTokenError } from "@lucia-auth/tokens";
import { memory } from "@lucia-auth/tokens/memory";

// A store that needs no Lucia.
const link = idToken(memory(), "magic-link", { expiresIn: 600 });
const token = await link.issue("user");
const { userId } = await link.validate(token);
const again: unknown = await link.validate(token).catch((error: unknown) => error);
const isOver = again instanceof LuciaTokenError && again.message === "INVALID_TOKEN";
console.log(userId === "user" && isOver ? "works" : "fails");
