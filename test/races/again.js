const DEADLOCK = "Deadlock found when trying to get lock; try restarting transaction";

// MySQL and MariaDB roll back one of two statements that wait for each other. The default store passes
// that error on, and the caller tries again, as docs/stores.md says.
const again =
	(call) =>
	async (...args) => {
		for (;;) {
			try {
				return await call(...args);
			} catch (error) {
				if (error.message !== DEADLOCK) throw error;
			}
		}
	};

export const callingOn = (store) => (store === "native" ? (call) => call : again);
