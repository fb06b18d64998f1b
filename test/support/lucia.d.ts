declare namespace Lucia {
	type Auth = import("lucia-auth").Auth;
	type UserAttributes = { username?: string | null };
}
