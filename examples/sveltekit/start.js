import process from "node:process";

// What adapter-node reads. Without ORIGIN, it would take the app for one on HTTPS, and refuse its forms.
process.env.HOST ??= "localhost";
process.env.PORT ??= "3000";
process.env.ORIGIN ??= `http://localhost:${process.env.PORT}`;

await import("./build/index.js");
