import { randomToken } from "../databases/schema.js";

/**
 * The limit: the driver's own statements, prepared, with nothing around them. Even the random ids are
 * made beforehand.
 */
export const driver = ({ insert, take, list, revokeAll }) => {
	const ids = [];
	return {
		name: "driver",
		prepare(count) {
			while (ids.length < count) ids.push(`bench:${randomToken()}`);
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
		unknown: () => `bench:${randomToken()}`,
		list: async (userId) => list(userId),
		idsOf: (rows, userId) => rows.filter((row) => row.user_id === userId).map(({ id }) => id),
		revokeAll,
	};
};
