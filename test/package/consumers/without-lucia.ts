import { idToken, type KeyStore, LuciaTokenError, type StoredKey } from "@lucia-auth/tokens";

// A store of one's own, for one process: no Lucia anywhere.
const keys = new Map<string, StoredKey>();
const store: KeyStore = {
	async insert(key) {
		if (keys.has(key.id)) throw new LuciaTokenError("DUPLICATE_TOKEN");
		keys.set(key.id, key);
	},
	get: async (id) => keys.get(id) ?? null,
	async consume(id) {
		const key = keys.get(id) ?? null;
		keys.delete(id);
		return key;
	},
	async delete(id) {
		keys.delete(id);
	},
	getAllByUser: async (userId, prefix) =>
		[...keys.values()].filter((key) => key.userId === userId && key.id.startsWith(prefix)),
	async deleteAllByUser(userId, prefix) {
		for (const key of await this.getAllByUser(userId, prefix)) keys.delete(key.id);
	},
	async deleteExpiredByUser(userId, prefix, now) {
		for (const key of await this.getAllByUser(userId, prefix)) {
			if (now > key.expires) keys.delete(key.id);
		}
	},
};

const link = idToken(store, "magic-link", { expiresIn: 600 });
const token = await link.issue("user");
const { userId } = await link.validate(token);
const again: string = await link.validate(token).then(
	() => "success",
	(error: Error) => error.message,
);
console.log(userId === "user" && again === "INVALID_TOKEN" ? "works" : "fails");
