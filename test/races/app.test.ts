import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { type App, startApp, startOwnApp } from "../examples/app.js";
import type { Page } from "../examples/browser.js";
import { sendHostile } from "../examples/hostile.js";
import { pathIn } from "../examples/smtp.js";
import { report } from "./race.js";

// The app of the guides, attacked over HTTP. On PostgreSQL, requests are also stalled at the exact point that a
// race may miss.

const ROUNDS = 8;
const OLD = "the old password"; // the attacker knows it
const EVIL = "the attacker's password";
const OWN = "the owner's new password";

// The setup tells if PostgreSQL is not there.
const DATABASES = [
	["SQLite", undefined],
	["PostgreSQL", inject("postgres")],
] as const;

describe.each(DATABASES.filter(([, url]) => url !== ""))("the app on %s", (_, postgres) => {
	let app: App;
	beforeAll(async () => {
		app = await startApp({ postgres });
	});
	afterAll(async () => {
		await app.close();
		expect(app.logged()).toBe("");
	});

	let count = 0;
	const fresh = (name: string) => `${name}${count++}@example.com`;

	/** An account whose password an attacker knows. They have a session, and a link to an address of theirs. */
	const arrange = async () => {
		const [email, evil] = [fresh("owner"), fresh("evil")];
		const attacker = await app.withPassword(email, OLD);
		await attacker.post("/address", { email: evil, current: OLD });
		const move = pathIn(await app.smtp.next(evil));
		await app.nextMinute();
		const { id = "" } = (await app.user(email)) ?? {};
		const signingIn = app.browser();
		const moves = {
			change: () => attacker.post("/password/change", { current: OLD, password: EVIL }),
			"sign-in": () => signingIn.post("/password", { email, current: OLD }),
			address: () => attacker.post(move),
		};
		// They keep the cookies of before, too.
		const attackers = [attacker, attacker.copy(), signingIn];
		return { email, evil, id, attackers, moves };
	};
	type Arranged = Awaited<ReturnType<typeof arrange>>;

	const requestReset = async ({ email }: Pick<Arranged, "email">): Promise<() => Promise<Page>> => {
		const browser = app.browser();
		await browser.post("/password/link", { email });
		let mail = await app.smtp.next(email);
		while (mail.subject !== "Choose a password") mail = await app.smtp.next(email);
		const link = pathIn(mail);
		return () => browser.post(link, { password: OWN });
	};

	/** After a successful reset, the account is the owner's alone. */
	const expectReset = async ({ email, id, attackers }: Arranged): Promise<void> => {
		expect(await app.user(email)).toMatchObject({ id });
		expect(await app.sessions(email)).toEqual([]);
		for (const browser of attackers) expect(await app.isSignedIn(browser)).toBe(false);
		const keys = await app.all("SELECT id FROM auth_key WHERE user_id = ? AND expires IS NULL", id);
		expect(keys).toEqual([{ id: `email:${email}` }]);
		const working = [OLD, EVIL, OWN].map((password) => app.works(email, password));
		expect(await Promise.all(working)).toEqual([false, false, true]);
		expect(await app.tokens(email)).toEqual([]);
	};

	test("leaves an attacker who knows the password nothing whenever a reset succeeds", async () => {
		let successes = 0;
		for (let round = 0; round < ROUNDS; round++) {
			const arranged = await arrange();
			const reset = await requestReset(arranged);
			const [page] = await Promise.all([
				sleep(60).then(reset),
				...Object.values(arranged.moves).map(async (move, index) => {
					await sleep((150 * ((round + index * 3) % ROUNDS)) / (ROUNDS - 1));
					await move();
				}),
			]);
			let { status } = page;
			if (status === 410 && (await app.user(arranged.email))) {
				// The change of the address revoked the link, and then lost to that of the password.
				await app.nextMinute();
				({ status } = await (await requestReset(arranged))());
			}
			if (status === 303) {
				successes++;
				await expectReset(arranged);
			} else {
				// The address had moved before, and the owner was told so.
				expect(status).toBe(410);
				expect(await app.user(arranged.evil)).toMatchObject({ id: arranged.id });
			}
		}
		report({ rounds: ROUNDS, successes });
	});

	test("gives someone who squats on an address nothing, and its owner the links that were mailed", async () => {
		const attacker = await app.withPassword(fresh("squatter"), EVIL);
		for (let round = 0; round < 5; round++) {
			const victim = fresh("victim");
			await app.nextMinute();
			const squatting = app.browser();
			const ask = () =>
				Promise.all([
					app.browser().post("/sign-in", { email: victim }),
					app.browser().post("/password/link", { email: victim }),
					squatting.post("/code", { email: victim }),
					attacker.post("/address", { email: victim, current: EVIL }),
				]);
			await ask();
			let mailed = "";
			for (let left = 4; left > 0; left--) mailed += (await app.smtp.next(victim)).text;
			const find = (path: string) => new RegExp(`${path}\\S+`).exec(mailed)?.[0] ?? "";
			const guess = async () => {
				await ask();
				await Promise.all(
					Array.from({ length: 8 }, async (_, times) => {
						await squatting.post("/code/use", { code: `0000000${times}` });
						await app.browser().post("/password", { email: victim, current: EVIL });
						await attacker.post(`/address/x?email=${victim}`);
					}),
				);
			};
			const owner = app.browser();
			const isSignIn = round % 2 === 0;
			const [used] = await Promise.all([
				sleep(round * 10).then(() =>
					isSignIn
						? owner.post(find("/sign-in/"))
						: owner.post(find("/password/link/"), { password: OWN }),
				),
				guess(),
			]);
			expect(used.status).toBe(303);
			// Even if the victim presses the button of the attacker's change of address.
			expect((await owner.post(find("/address/"))).status).toBe(isSignIn ? 403 : 303);
			expect(await app.sessions(victim)).toEqual(isSignIn ? [owner.session] : []);
			expect(await app.isSignedIn(squatting)).toBe(false);
			expect((await attacker.get("/")).text).not.toContain(victim);
			expect(await app.works(victim, EVIL)).toBe(false);
			if (!isSignIn) expect(await app.works(victim, OWN)).toBe(true);
		}
	});

	test("gives an address to one of two accounts, and the other keeps its own and its password", async () => {
		for (let round = 0; round < ROUNDS; round++) {
			const [next, ...emails] = [fresh("both"), fresh("one"), fresh("two")];
			const racers = [];
			for (const email of emails) {
				const browser = await app.withPassword(email, OLD);
				await browser.post("/address", { email: next, current: OLD });
				const link = pathIn(await app.smtp.next(next));
				racers.push({ email, post: () => browser.post(link) });
			}
			const pages = await Promise.all(racers.map(({ post }) => post()));
			const statuses = pages.map(({ status }) => status);
			expect([...statuses].sort()).toEqual([303, 409]);
			const loser = emails[statuses.indexOf(409)] ?? "";
			expect(await app.works(loser, OLD)).toBe(true);
			expect(await app.works(next, OLD)).toBe(true);
			expect(await app.works(emails[statuses.indexOf(303)] ?? "", OLD)).toBe(false);
		}
	});

	/** Connects to the app's database, to stall its requests. */
	const stall = async (of = app) => {
		const client = new pg.Client({ connectionString: of.databaseUrl });
		await client.connect();
		onTestFinished(() => client.end());
		return {
			/** Returns once so many requests wait for a lock. */
			waiting: async (requests: number): Promise<void> => {
				const sql = `SELECT count(*)::int AS count FROM pg_stat_activity
					WHERE datname = current_database() AND wait_event_type = 'Lock'`;
				const read = async () => (await of.all(sql))[0]?.["count"];
				await expect.poll(read, { timeout: 30_000, interval: 10 }).toBe(requests);
			},
			/** Stalls whatever takes the lock of an account, in the order of arrival. */
			lockAccount: async (id: string): Promise<() => Promise<unknown>> => {
				await client.query("BEGIN");
				await client.query("SELECT 1 FROM auth_user WHERE id = $1 FOR SHARE", [id]);
				return () => client.query("COMMIT");
			},
			/** Stalls every insert into a table of rows that match. */
			inserts: async (table: string, match = "TRUE"): Promise<() => Promise<unknown>> => {
				await client.query("SELECT pg_advisory_lock(1)");
				await client.query(`
					CREATE OR REPLACE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql AS
						'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END';
					CREATE OR REPLACE TRIGGER stall BEFORE INSERT ON ${table}
						FOR EACH ROW WHEN (${match}) EXECUTE FUNCTION stall()`);
				return async () => {
					await client.query("SELECT pg_advisory_unlock(1)");
				};
			},
		};
	};

	if (!postgres) return;

	test("never fails, even where input has a NUL, which PostgreSQL refuses", async () => {
		const pages = ["/", "/sign-in/", "/password/link/", "/address/"];
		const forms = ["/sign-in", "/code", "/code/use", "/password", "/password/link", "/address"];
		await sendHostile(await app.signedIn(fresh("hostile")), pages, [...forms, "/sign-out"]);
	});

	test("goes on when the database cuts a connection in the middle of a change", async () => {
		const own = await startOwnApp({ postgres });
		const email = "cut@example.com";
		const browser = await own.withPassword(email, OLD);
		const { lockAccount, waiting } = await stall(own);
		await lockAccount((await own.user(email))?.id ?? "");
		const changed = browser.post("/password/change", { current: OLD, password: OWN });
		await waiting(1);
		await own.all(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`);
		expect((await changed).status).toBe(500);
		expect(await own.works(email, OLD)).toBe(true);
	});

	describe("stalled at the exact point", () => {
		test.each([
			["before", "change", 303],
			["before", "address", 303],
			["after", "change", 422],
			["after", "address", 409],
		] as const)(
			"a reset wins over a request that came %s it and waits with it: %s",
			async (order, name, expected) => {
				const arranged = await arrange();
				const { lockAccount, waiting } = await stall();
				const release = await lockAccount(arranged.id);
				// A change revokes what was mailed before it, so the owner requests the link now.
				const reset = async () => (await requestReset(arranged))();
				const requests = [reset, arranged.moves[name]];
				if (order === "before") requests.reverse();
				const pages: Promise<Page>[] = [];
				for (const request of requests) {
					pages.push(request());
					await waiting(pages.length);
				}
				await release();
				const statuses = (await Promise.all(pages)).map(({ status }) => status);
				expect(statuses).toEqual(order === "before" ? [expected, 303] : [303, expected]);
				await expectReset(arranged);
			},
		);

		test.each(["change", "sign-in"] as const)(
			"a reset ends a session that starts after it: %s",
			async (name) => {
				const arranged = await arrange();
				const { inserts, waiting } = await stall();
				const reset = await requestReset(arranged);
				const release = await inserts("auth_session");
				const attack = arranged.moves[name]();
				await waiting(1);
				expect((await reset()).status).toBe(303);
				await release();
				await attack;
				await expectReset(arranged);
			},
		);

		test("a link to the former address opens nothing during a change, nor one that was requested during it", async () => {
			const { email, id, moves } = await arrange();
			const { lockAccount, waiting } = await stall();
			const former = await app.link(email);
			await app.nextMinute();
			const release = await lockAccount(id);
			const moved = moves.address();
			await waiting(1);
			expect((await app.browser().post(former)).status).toBe(410);
			const link = await app.link(email);
			await release();
			expect((await moved).status).toBe(303);
			expect((await app.browser().post(link)).status).toBe(410);
		});

		test.each([
			["/sign-in", "magic-link"],
			["/code", "sign-in-code"],
			["/password/link", "password-link"],
		])("what %s makes after a change of address is mailed to the new one", async (path, name) => {
			const { email, evil: next, moves } = await arrange();
			const { inserts, waiting } = await stall();
			const release = await inserts("auth_key", `NEW.id LIKE '%${name}%'`);
			await app.browser().post(path, { email });
			await waiting(1);
			expect((await moves.address()).status).toBe(303);
			await release();
			const { subject } = await app.smtp.next(next);
			expect(subject).toMatch(/sign-in|Choose/);
			expect(app.smtp.mails.filter(({ to }) => to === email)).toMatchObject([
				{ subject: "Your email address was changed" },
			]);
		});
	});
});
