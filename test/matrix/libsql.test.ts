import { openLibsql } from "../support/databases.js";
import { matrix } from "./matrix.js";

matrix("libsql", openLibsql);
