import type { PageServerLoad } from "./$types";

export const load: PageServerLoad = ({ cookies }) => ({ asked: cookies.get("asked") ?? "you" });
