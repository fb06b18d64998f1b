declare namespace App {
	interface Locals {
		auth: import("lucia-auth").AuthRequest;
	}
	interface Error {
		signedInAs?: string | undefined;
		email?: string | undefined;
		next?: string;
	}
}

declare namespace Lucia {
	type Auth = typeof import("$lib/server/auth").auth;
	type UserAttributes = { email: string };
}
