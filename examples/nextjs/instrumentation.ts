/** Next.js calls this once, when the server starts. */
export const register = async () => {
	if (process.env.NEXT_RUNTIME !== "nodejs") return;
	const { sweepDaily } = await import("./lib/auth");
	sweepDaily();
};
