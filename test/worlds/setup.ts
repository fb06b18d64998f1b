import { existsSync } from "node:fs";
import { postgresPrograms } from "../support/postgres.js";
import { findProgram } from "../support/server.js";

/** Whether this machine has what the worlds consist of, by the Debian package. */
const INSTALLED = {
	postgresql: postgresPrograms() !== undefined,
	pgbouncer: findProgram("pgbouncer") !== undefined,
	pgpool2: findProgram("pgpool") !== undefined,
	"mariadb-server": findProgram("mariadbd") !== undefined,
	"galera-4": existsSync("/usr/lib/galera/libgalera_smm.so"),
};

/** Whether all of the packages are installed. */
export const areInstalled = (...names: readonly (keyof typeof INSTALLED)[]): boolean =>
	names.every((name) => INSTALLED[name]);

/** In CI, requires all programs. Elsewhere, lists at the end what did not run. */
export default (): (() => void) => {
	const missing = Object.entries(INSTALLED).flatMap(([name, isThere]) => (isThere ? [] : [name]));
	if (missing.length > 0 && process.env["CI"]) {
		throw new Error(`With CI set, all worlds must run. Install ${missing.join(", ")}`);
	}
	return () => {
		if (missing.length > 0) console.warn(`Not all worlds ran. Install ${missing.join(", ")}`);
	};
};
