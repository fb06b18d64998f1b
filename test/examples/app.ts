import Database from "libsql";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { expect } from "vitest";
import { freePort, temporaryFolder } from "../support/server.js";
import { Browser } from "./browser.js";
import { pathIn, startSmtp } from "./smtp.js";

const FOLDER = fileURLToPath(new URL("../../examples/magic-link/", import.meta.url));

type Row = Record<string, unknown>;

/** A database of the app, from outside of it. SQL has `?` for values. */
interface Rows {
	all(sql: string, ...values: unknown[]): Promise<Row[]>;
	close(): Promise<void>;
}

const openSqlite = (file: string): Rows => {
	const db = new Database(file);
	db.pragma("busy_timeout = 5000");
	return {
		all: async (sql, ...values) => {
			const statement = db.prepare(sql);
			if (statement.reader) return statement.all(values) as Row[];
			statement.run(values);
			return [];
		},
		close: async () => void db.close(),
	};
};

const openPostgres = (connectionString: string): Rows => {
	const pool = new pg.Pool({ connectionString });
	return {
		all: async (sql, ...values) => {
			let count = 0;
			return (
				await pool.query<Row>(
					sql.replaceAll("?", () => `$${++count}`),
					values,
				)
			).rows;
		},
		close: () => pool.end(),
	};
};

interface Options {
	/** The URL of a PostgreSQL server, which gets a database of its own for the app. By default, SQLite. */
	readonly postgres?: string | undefined;
	/** The file to run, in or out of the app's folder. */
	readonly main?: string;
	readonly env?: Record<string, string>;
}

/** The app of the guides in a process of its own, with a database and a mail server. */
export const startApp = async ({ postgres, main = "main.ts", env = {} }: Options = {}) => {
	const folder = temporaryFolder("app");
	const smtp = await startSmtp();
	let databaseUrl = join(folder.path, "app.db");
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
	let logged = "";
	const child = spawn(process.execPath, ["--import", "tsx", join(FOLDER, main)], {
		cwd: FOLDER,
		env: {
			PATH: process.env["PATH"],
			PORT: String(port),
			DATABASE_URL: databaseUrl,
			SMTP_URL: smtp.url,
			SECRET: "a secret of the tests, long enough",
			CLIENT_LIMIT: "1000000",
			...env,
		},
	});
	for (const stream of [child.stdout, child.stderr]) {
		stream.on("data", (chunk: Buffer) => (logged += chunk.toString()));
	}
	const ended = once(child, "close");
	const isUp = () =>
		fetch(address).then(
			() => true,
			() => false,
		);
	for (let tries = 0; !(await isUp()); tries++) {
		if (tries === 2000 || child.exitCode !== null) throw new Error(`The app fails: ${logged}`);
		await sleep(25);
	}
	const rows = postgres === undefined ? openSqlite(databaseUrl) : openPostgres(databaseUrl);
	const browser = () => new Browser(origin, address);
	const user = async (email: string) => {
		const [found] = await rows.all("SELECT * FROM auth_user WHERE email = ?", email);
		return found as { id: string; email: string } | undefined;
	};

	/** A browser that has signed in with a link. */
	const signedIn = async (email: string): Promise<Browser> => {
		const own = browser();
		await own.post("/sign-in", { email });
		const { status } = await own.post(pathIn(await smtp.next(email)));
		expect(status).toBe(303);
		return own;
	};

	return {
		origin,
		address,
		browser,
		smtp,
		signedIn,
		user,
		all: (sql: string, ...values: unknown[]) => rows.all(sql, ...values),

		/** A browser that has signed in with a link, whose account has a password now. */
		withPassword: async (email: string, password: string): Promise<Browser> => {
			const own = browser();
			await own.post("/password/link", { email });
			const { status } = await own.post(pathIn(await smtp.next(email)), { password });
			expect(status).toBe(303);
			await smtp.next(email); // the password was changed
			await own.post("/password", { email, current: password });
			expect(own.cookies.get("auth_session")).toBeDefined();
			return own;
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
			Promise.all(
				["auth_user", "auth_session", "auth_key"].map((table) =>
					rows.all(`SELECT * FROM ${table} ORDER BY id`),
				),
			),

		/** Lets all tokens expire. */
		expire: () => rows.all("UPDATE auth_key SET expires = 1 WHERE expires IS NOT NULL"),

		/** Lets the minute pass in which no second mail is sent. */
		nextMinute: () =>
			rows.all(
				"DELETE FROM auth_key WHERE id LIKE ':%. first %' OR id LIKE ':%. in %' OR id LIKE ':%. after %'",
			),

		/** What the app wrote to its output, after its first line. */
		logged: () => logged.replace(/^The app runs at .*\n/, ""),

		close: async () => {
			child.kill();
			await ended;
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
