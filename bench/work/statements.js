import { USERS } from "../databases/schema.js";
import { CONNECTIONS } from "../plan.js";
import { timed } from "../turns.js";

// After so many, as many at once as there are connections, each has its statements prepared.
const WARM_UP = 8 * CONNECTIONS;
// As many that some calls of issue() sweep: one in eight.
const CALLS = 40;

// Both are counted: statements where the driver is called, round trips on the wire.
const counting = (database, proxy) => async (calls, call) => {
	const before = proxy?.roundTrips();
	const statements = await database.count(async () => {
		for (let i = 0; i < calls; i++) await call(i);
	});
	return [statements / calls, ...(proxy ? [(proxy.roundTrips() - before) / calls] : [])];
};

// { contender: { operation: [statements, round trips] } }
const forEach = async (contenders, measure) => {
	const counts = {};
	for (const contender of contenders) counts[contender.name] = await measure(contender);
	return counts;
};

export const countLinks = (database, contenders, proxy) =>
	forEach(contenders, async (contender) => {
		const count = counting(database, proxy);
		contender.prepare?.(WARM_UP + CALLS);
		const tokens = [];
		const issue = async () => tokens.push(await contender.issue(USERS[0]));
		const validate = () => contender.validate(tokens.pop());
		const unknown = () => contender.validate(contender.unknown(USERS[0]));
		for (const operation of [issue, validate, unknown]) {
			await timed(CONNECTIONS, WARM_UP, operation);
		}
		return {
			issue: await count(CALLS, issue),
			validate: await count(CALLS, validate),
			unknown: await count(CALLS, unknown),
		};
	});

export const countLists = (database, contenders, proxy, tokens) =>
	forEach(contenders, async (contender) => {
		const count = counting(database, proxy);
		const list = () => contender.list(USERS[0]);
		const revokeAll = () => contender.revokeAll(USERS[0]);
		await timed(CONNECTIONS, WARM_UP, list);
		await database.fill(USERS.slice(0, 1), WARM_UP);
		await timed(CONNECTIONS, WARM_UP, revokeAll);
		await database.fill(USERS.slice(0, 1), tokens);
		return {
			[`list ${tokens}`]: await count(1, list),
			[`revokeAll ${tokens}`]: await count(1, revokeAll),
		};
	});

export const countCodes = (database, contenders, proxy) =>
	forEach(contenders, async (contender) => {
		const count = counting(database, proxy);
		contender.prepare?.(WARM_UP + 4 * CALLS);
		const codes = [];
		const issue = async (i) => {
			codes[i] = await contender.issue(USERS[i]);
		};
		const wrong = (i) => contender.validate(contender.wrong(codes[i]), USERS[i]);
		const right = (i) => contender.validate(codes[i], USERS[i]);
		for (const operation of [issue, wrong, right]) await timed(CONNECTIONS, WARM_UP, operation);
		await database.empty();
		const counts = {
			issue: await count(CALLS, issue),
			wrong: await count(CALLS, wrong),
			right: await count(CALLS, right),
		};
		// A wrong code may have been meant for any of the user's.
		for (let code = 0; code < 3; code++) for (let i = 0; i < CALLS; i++) await issue(i);
		return { ...counts, "wrong at 3": await count(CALLS, wrong) };
	});
