import process from "node:process";
import { ConfigError, readConfig } from "./config.js";
import { startServer } from "./server.js";

/** @param {any} error @param {ReturnType<typeof readConfig>} config */
const explain = (error, { host, port, dataFile }) => {
	switch (
		error?.syscall === "listen" || error?.syscall === "getaddrinfo" ? error.code : undefined
	) {
		case "EADDRINUSE":
			return `Port ${port} is in use. Set PORT to another, such as PORT=${port + 1}`;
		case "EACCES":
			return `Port ${port} needs more permissions. Set PORT to another, such as PORT=3000`;
		case undefined:
			return `The demo can't start with its data in ${dataFile}: ${error?.message}`;
		default:
			return `HOST is ${host}, and this machine can't listen there (${error.code})`;
	}
};

/** @param {string} message */
const fail = (message) => {
	console.error(message);
	process.exit(1);
};

const main = async () => {
	const config = readConfig(process.env);
	const server = await startServer(config).catch((error) => fail(explain(error, config)));
	console.log(`The demo runs at ${server.url}`);
	if (server.mailbox) console.log(`See its mail at ${server.mailbox}`);

	/** @type {Promise<void> | undefined} */
	let stopping;
	const stop = () => {
		stopping ??= server.close();
	};
	process.on("SIGINT", stop);
	process.on("SIGTERM", stop);
};

main().catch((error) => {
	if (error instanceof ConfigError) fail(error.message);
	throw error;
});
