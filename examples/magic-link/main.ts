import { createApp, sweep } from "./app.js";
import { baseUrl, host, port } from "./config.js";
import { database } from "./database.js";
import { mailboxPage } from "./demo/mailbox.js";
import { changeAddress } from "./flows/change-address.js";
import { magicLink } from "./flows/magic-link.js";
import { oneTimeCode } from "./flows/one-time-code.js";
import { password } from "./flows/password.js";
import { allSent } from "./mail.js";

const flows = [magicLink, oneTimeCode, password, changeAddress, mailboxPage];

const server = createApp(flows).listen(port, host, (error) => {
	if (!error) return console.log(`The app runs at ${baseUrl}`);
	const { code } = error as { code?: string };
	console.error(
		code === "EADDRINUSE"
			? `Port ${port} is in use. Set PORT to another one`
			: `The app can't listen on port ${port} of ${host} (${code}). Set PORT or HOST`,
	);
	process.exit(1);
});

const day = 1000 * 60 * 60 * 24;
const run = () => {
	sweep(flows).catch((error: { code?: string; name: string }) =>
		console.error("The sweep failed:", error.code ?? error.name),
	);
};
run();
setInterval(run, day).unref(); // doesn't keep the process alive

// Requests and mails in progress end first. A pool of mail connections would keep the process alive.
const stop = () =>
	server.close(() => {
		void allSent()
			.then(() => database.close())
			.finally(() => process.exit());
	});
process.once("SIGINT", stop);
process.once("SIGTERM", stop);
