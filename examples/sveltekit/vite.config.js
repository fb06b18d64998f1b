import { sveltekit } from "@sveltejs/kit/vite";
import { defineConfig } from "vite";

export default defineConfig({
	plugins: [sveltekit()],
	// The mailed links name this port.
	server: { port: 3000, strictPort: true },
});
