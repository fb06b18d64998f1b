import { mailbox } from "$lib/server/mail";

export const load = () => ({ mailbox });
