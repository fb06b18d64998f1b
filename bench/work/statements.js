import { USERS } from "../databases/schema.js";
import { CONNECTIONS } from "../plan.js";
import { timed } from "../turns.js";

// After so many, as many at once as there are connections, each has its statements prepared.
const WARM_UP = 8 * CONNECTIONS;
const CALLS = 5;

/**
 * How many statements each operation sends, and how often it turns to the server and waits. Both are
 * counted: the first where the driver is called, the second on the wire.
 */
export const countStatements = async (database, contenders, tokensOfUser, proxy) => {
	const counts = {};
	for (const contender of contenders) {
		const count = async (calls, call) => {
			const before = proxy?.roundTrips();
			const statements = await database.count(async () => {
				for (let i = 0; i < calls; i++) await call(i);
			});
			return {
				statements: statements / calls,
				roundTrips: proxy ? (proxy.roundTrips() - before) / calls : null,
			};
		};
		contender.prepare?.(WARM_UP + CALLS);
		const tokens = [];
		const issue = async () => tokens.push(await contender.issue(USERS[0]));
		const validate = () => contender.validate(tokens.pop());
		const unknown = () => contender.validate(contender.unknown(USERS[0]));
		for (const operation of [issue, validate, unknown]) {
			await timed(CONNECTIONS, WARM_UP, operation);
		}
		const counted = {
			issue: await count(CALLS, issue),
			validate: await count(CALLS, validate),
			unknown: await count(CALLS, unknown),
		};
		if (contender.list) {
			const list = () => contender.list(USERS[0]);
			const revokeAll = () => contender.revokeAll(USERS[0]);
			await timed(CONNECTIONS, WARM_UP, list);
			await database.fill(USERS.slice(0, 1), WARM_UP);
			await timed(CONNECTIONS, WARM_UP, revokeAll);
			await database.fill(USERS.slice(0, 1), tokensOfUser);
			counted[`list ${tokensOfUser}`] = await count(1, list);
			counted[`revoke all ${tokensOfUser}`] = await count(1, revokeAll);
		}
		counts[contender.name] = counted;
	}
	return counts;
};
