// Makes a handler and nothing else. In a file, since Node has a global `crypto` for `--eval`.
import { idToken } from "@lucia-auth/tokens";

idToken({ consume() {} }, "link", { expiresIn: 60 });
