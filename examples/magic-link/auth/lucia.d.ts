declare namespace Lucia {
	type Auth = import("./auth.js").AppAuth["auth"];
	type UserAttributes = { email: string };
}
