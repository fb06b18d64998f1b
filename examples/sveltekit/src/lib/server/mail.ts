interface Mail {
	readonly to: string;
	readonly link: string;
}

/** For the demo only: anyone who can read the mailbox can sign in as anyone. */
export const mailbox: Mail[] = [];

/** Send a real mail here. */
export const sendLink = async (to: string, link: string): Promise<void> => {
	mailbox.unshift({ to, link });
	mailbox.splice(50);
};
