export const SCHEMA = [
	"CREATE TABLE auth_user (id TEXT NOT NULL PRIMARY KEY)",
	`CREATE TABLE auth_key (
		id TEXT NOT NULL PRIMARY KEY,
		user_id TEXT NOT NULL REFERENCES auth_user (id),
		primary_key INTEGER NOT NULL,
		hashed_password TEXT,
		expires BIGINT
	)`,
	"CREATE INDEX auth_key_user_id ON auth_key (user_id)",
];
