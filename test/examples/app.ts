import Database from "libsql";
import { join } from "node:path";
import pg from "pg";
import { afterAll, expect, onTestFinished } from "vitest";
import { root } from "../support/packed.js";
import { freePort, startProgram, temporaryFolder } from "../support/server.js";
import { Browser } from "./browser.js";
import { codeIn, type Mail, pathIn, startSmtp } from "./smtp.js";

/** The folder of the app. */
export const FOLDER = join(root, "examples/magic-link/");

const TABLES = ["auth_user", "auth_session", "auth_key"];

type Row = Record<string, unknown>;

/** A PostgreSQL database of the app, from outside of it. SQL has `?` for values. */
const openPostgres = (connectionString: string) => {
	const pool = new pg.Pool({ connectionString }).on("error", () => {});
	return {
		all: async (sql: string, ...values: unknown[]): Promise<Row[]> => {
			let count = 0;
			const numbered = sql.replaceAll("?", () => `$${++count}`);
			return (await pool.query<Row>(numbered, values)).rows;
		},
		close: () => pool.end(),
	};
};

const openSqlite = (file: string): ReturnType<typeof openPostgres> => {
	const db = new Database(file);
	db.pragma("busy_timeout = 5000");
	return {
		all: async (sql, ...values) => db.prepare(sql).all(values) as Row[],
		close: async () => void db.close(),
	};
};

interface Options {
	/** The URL of a PostgreSQL server, which gets a database of its own for the app. By default, SQLite. */
	readonly postgres?: string | undefined;
	/** The files of the flows to start alone. By default, main.ts starts. */
	readonly flows?: readonly string[];
	/** Another app: its folder, which has its database, and its main file. */
	readonly other?: readonly [cwd: string, main: string];
	readonly env?: Record<string, string>;
}

/** Arguments of Node that start the app with some flows. */
const mainOf = (flows: readonly string[]): string[] => {
	const main = `
		import { createApp } from "./app.tsx";
		import { host, port } from "./config.ts";
		const files = await Promise.all(${JSON.stringify(flows)}.map((flow) => import(\`./flows/\${flow}.tsx\`)));
		const flows = files.flatMap((file) => Object.values(file).filter(({ routes }) => routes));
		createApp(flows).listen(port, host);
	`;
	return ["--input-type=module", "-e", main];
};

/** What NODE_OPTIONS needs so that code runs first in a process. */
export const preloading = (code: string): string =>
	`--import data:text/javascript,${encodeURIComponent(code)}`;

/** Code that lets days pass in a fifth of a second. */
export const SHORT_DAYS = `
	const { setInterval } = globalThis;
	globalThis.setInterval = (work, time, ...rest) =>
		setInterval(work, time === 86_400_000 ? 200 : time, ...rest);`;

const TSX = join(root, "node_modules/tsx/dist/loader.mjs");

/** Starts Node with TypeScript in a folder, and with these environment variables alone. */
export const startNode = (cwd: string, args: readonly string[], env: Record<string, string>) =>
	startProgram(process.execPath, ["--import", TSX, ...args], {
		cwd,
		env: { PATH: process.env["PATH"], ...env },
	});

/** Runs a file of the app until it ends. */
export const runFile = (file: string, env: Record<string, string>) =>
	startNode(FOLDER, [file], env).ended();

/** The app of the guides in a process of its own, with a database and a mail server. */
export const startApp = async ({ postgres, flows, other, env = {} }: Options = {}) => {
	const folder = temporaryFolder("app");
	const smtp = await startSmtp();
	const [cwd, main] = other ?? [FOLDER, "main.ts"];
	let databaseUrl = join(other ? cwd : folder.path, "app.db");
	if (postgres !== undefined) {
		const name = `app_${crypto.randomUUID().replaceAll("-", "")}`;
		const server = openPostgres(postgres);
		await server.all(`CREATE DATABASE ${name}`);
		await server.close();
		databaseUrl = Object.assign(new URL(postgres), { pathname: `/${name}` }).href;
	}

	const port = await freePort();
	const address = `http://localhost:${port}`;
	const origin = env["BASE_URL"] ?? address;
	const program = startNode(cwd, flows ? mainOf(flows) : [main], {
		PORT: String(port),
		DATABASE_URL: databaseUrl,
		SMTP_URL: smtp.url,
		SECRET: "a secret of the tests, long enough",
		CLIENT_LIMIT: "1000000",
		...env,
	});
	await program.serves(() => fetch(address));
	const rows = postgres === undefined ? openSqlite(databaseUrl) : openPostgres(databaseUrl);
	const browser = () => new Browser(origin, address);
	const user = async (email: string) => {
		const [row] = await rows.all("SELECT * FROM auth_user WHERE email = ?", email);
		return row && { id: String(row["id"]), isVerified: Boolean(row["email_verified"]) };
	};

	/** Has a mail sent by a form, and takes it. */
	const request = async (own: Browser, path: string, email: string): Promise<Mail> => {
		expect((await own.post(path, { email })).status).toBeLessThan(400);
		return smtp.next(email);
	};

	const link = async (email: string, own = browser()): Promise<string> =>
		pathIn(await request(own, "/sign-in", email));

	/** A browser that has signed in with a link. */
	const signedIn = async (email: string): Promise<Browser> => {
		const own = browser();
		expect((await own.post(await link(email, own))).status).toBe(303);
		return own;
	};

	return {
		origin,
		address,
		browser,
		smtp,
		databaseUrl,
		request,
		link,
		signedIn,
		user,
		all: rows.all,

		code: async (email: string, own: Browser): Promise<string> =>
			codeIn(await request(own, "/code", email)),

		/** A browser that has signed in with the password that its user has chosen. */
		withPassword: async (email: string, password: string): Promise<Browser> => {
			const own = browser();
			const path = pathIn(await request(own, "/password/link", email));
			expect((await own.post(path, { password })).status).toBe(303);
			await smtp.next(email); // the password was changed
			await own.post("/password", { email, current: password });
			expect(own.session).toBeDefined();
			return own;
		},

		/** The ids of a user's sessions. */
		sessions: async (email: string): Promise<unknown[]> => {
			const sql = "SELECT id FROM auth_session WHERE user_id = ? ORDER BY id";
			return (await rows.all(sql, (await user(email))?.id)).map(({ id }) => id);
		},

		/** The names of a user's tokens. */
		tokens: async (email: string): Promise<unknown[]> => {
			const sql = `SELECT id FROM auth_key WHERE user_id = ? AND expires IS NOT NULL
				AND id NOT LIKE ':%' ORDER BY id`;
			const found = await rows.all(sql, (await user(email))?.id);
			return found.map(({ id }) => String(id).split(":")[0]);
		},

		/** Whether somebody can sign in with a password. */
		works: async (email: string, password: string): Promise<boolean> => {
			const { status } = await browser().post("/password", { email, current: password });
			return status === 303;
		},

		/** Whether a browser is signed in. */
		isSignedIn: async (own: Browser): Promise<boolean> => (await own.get("/")).status === 200,

		/** Every row of every table. */
		tables: () =>
			Promise.all(TABLES.map((table) => rows.all(`SELECT * FROM ${table} ORDER BY id`))),

		/** Lets all tokens expire. */
		expire: () => rows.all("UPDATE auth_key SET expires = 1 WHERE expires IS NOT NULL"),

		/** Lets the minute pass in which no second mail is sent. */
		nextMinute: () =>
			rows.all(`DELETE FROM auth_key
				WHERE id LIKE ':%. first %' OR id LIKE ':%. in %' OR id LIKE ':%. after %'`),

		/** What the app wrote to its output, after its first line. */
		logged: () => program.logged().replace(/^The app runs at .*\n/, ""),

		close: async () => {
			await program.stop();
			await rows.close();
			await smtp.close();
			if (postgres !== undefined) {
				const server = openPostgres(postgres);
				const { pathname } = new URL(databaseUrl);
				await server.all(`DROP DATABASE ${pathname.slice(1)} WITH (FORCE)`);
				await server.close();
			}
			folder.remove();
		},
	};
};

export type App = Awaited<ReturnType<typeof startApp>>;

/** Starts an app for all tests of a file. It logs nothing. */
export const startSharedApp = async (): Promise<App> => {
	const app = await startApp();
	afterAll(async () => {
		await app.close();
		expect(app.logged()).toBe("");
	});
	return app;
};

/** Starts an app for one test. */
export const startOwnApp = async (options?: Options): Promise<App> => {
	const app = await startApp(options);
	onTestFinished(app.close);
	return app;
};
