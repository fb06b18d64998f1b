interface Mail {
	readonly to: string;
	readonly link: string;
}

// Next.js loads this file more than once: for pages, and for route handlers.
const shared = globalThis as typeof globalThis & { mailbox?: Mail[] };

/** For the demo only: anyone who can read the mailbox can sign in as anyone. */
export const mailbox = (shared.mailbox ??= []);

/** Send a real mail here. */
export const sendLink = async (to: string, link: string): Promise<void> => {
	mailbox.unshift({ to, link });
	mailbox.splice(50);
};
