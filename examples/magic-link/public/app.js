/* global document, window, setInterval */
// Progressive enhancement: signing in works without it.
import { timeLeft } from "./duration.js";

// Counts down the time left. The server says how much is left, so a wrong clock does no harm.
const loadedAt = Date.now();
const clocks = document.querySelectorAll("[data-milliseconds-left]");
const tick = () => {
	for (const clock of clocks) {
		const left = Number(clock.dataset.millisecondsLeft) - (Date.now() - loadedAt);
		clock.textContent = timeLeft(left);
	}
};
if (clocks.length > 0) setInterval(tick, 1000);

// Sends a form once: the second click of a double click would find the link used. The button is not
// disabled, because it would lose the focus.
document.addEventListener("submit", (event) => {
	const form = event.target;
	if (form.ariaBusy === "true") {
		event.preventDefault();
		return;
	}
	form.ariaBusy = "true";
	event.submitter?.setAttribute("aria-disabled", "true");
});

// A page that the back button restores can send its forms again.
window.addEventListener("pageshow", (event) => {
	if (!event.persisted) return;
	for (const form of document.forms) {
		form.ariaBusy = null;
		for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
	}
});
