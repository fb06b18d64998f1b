import { sveltekit } from "@sveltejs/kit/vite";
import process from "node:process";
import { defineConfig } from "vite";

export default defineConfig({
	plugins: [sveltekit()],
	// The mailed links name this port.
	server: { port: Number(process.env.PORT ?? 3000), strictPort: true },
});
