import { openD1 } from "../support/d1.js";
import { isInstalled } from "./heavy.js";
import { matrix } from "./matrix.js";

matrix("D1 on Miniflare", openD1, isInstalled("miniflare"));
