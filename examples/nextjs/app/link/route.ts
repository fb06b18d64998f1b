import { magicLink, origin, userIdOf } from "../../lib/auth";
import { formRoute } from "../../lib/form";
import { sendLink } from "../../lib/mail";

// What browsers accept in <input type="email">.
const EMAIL = /^(?=.{1,254}$)[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z\d-]{1,63}(\.[a-z\d-]{1,63})*$/;

// Limit link requests per client and per address.
export const POST = formRoute(async (fields) => {
	const email = String(fields.get("email")).trim().toLowerCase();
	if (!EMAIL.test(email)) return "/?refused";
	const token = await magicLink.issue(await userIdOf(email));
	await sendLink(email, `${origin}/sign-in/${token}`);
	return "/?sent";
});
