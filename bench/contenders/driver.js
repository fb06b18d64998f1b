import { randomCode, randomToken } from "../databases/schema.js";

/**
 * The limit: the driver's own statements, prepared, with nothing around them. Even the random ids are
 * made beforehand.
 */
export const driverContenders = ({ insert, take, list, revokeAll }) => {
	const base = (makeId) => {
		const ids = [];
		return {
			name: "driver",
			prepare(count) {
				while (ids.length < count) ids.push(makeId());
			},
			async issue(userId) {
				const id = ids.pop();
				await insert(id, userId, Date.now() + 600_000);
				return id;
			},
			async validate(id) {
				const row = await take(id);
				return row && Number(row.expires) > Date.now() ? row.user_id : null;
			},
		};
	};
	const linkId = () => `bench:${randomToken()}`;
	return {
		links: {
			...base(linkId),
			unknown: linkId,
			list: async (userId) => list(userId),
			idsOf: (rows, userId) => rows.filter((row) => row.user_id === userId).map(({ id }) => id),
			revokeAll,
		},
		// It counts no attempts, so a wrong code is one that is not stored. Who has it does not matter to
		// the statement, so the ids can be made before the users are known.
		codes: {
			...base(() => `bench-code:${crypto.randomUUID()}.${randomCode()}`),
			wrong: (id) => `${id.slice(0, -8)}${randomCode()}`,
		},
	};
};
