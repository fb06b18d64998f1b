// An app with a pool whose idle connection is cut, as by a failover or a restart of the database. With
// "listens", it has the line that docs/stores.md shows.
import { idToken } from "@lucia-auth/tokens";
import { pg } from "@lucia-auth/tokens/pg";
import postgres from "pg";

const [, , connectionString, line] = process.argv;
const pool = new postgres.Pool({ connectionString });
const cut = new Promise((resolve) => {
	if (line === "listens") pool.on("error", resolve);
});
const links = idToken(pg(pool), "link");
const validate = () => links.validate("unknown").catch((error) => console.log(error.message));

await validate();
const { rows } = await pool.query("SELECT pg_backend_pid() AS pid");
const admin = new postgres.Client({ connectionString });
await admin.connect();
await admin.query("SELECT pg_terminate_backend($1)", [rows[0].pid]);
await cut;
await validate();
await admin.end();
await pool.end();
