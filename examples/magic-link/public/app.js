/* global document, window, setInterval */
// What the pages can do without, and is nicer to have: nothing here is needed to sign in.
import { timeLeft } from "./duration.js";

// The time left counts down. The server says how much is left, so that a wrong clock does no harm.
const loadedAt = Date.now();
const clocks = document.querySelectorAll("[data-milliseconds-left]");
const tick = () => {
	for (const clock of clocks) {
		const left = Number(clock.dataset.millisecondsLeft) - (Date.now() - loadedAt);
		clock.textContent = timeLeft(left);
	}
};
if (clocks.length > 0) setInterval(tick, 1000);

// A form is sent once: the second click of a double click would come too late for a link. The button
// is not disabled, which would take the focus from it.
document.addEventListener("submit", (event) => {
	const form = event.target;
	if (form.ariaBusy === "true") {
		event.preventDefault();
		return;
	}
	form.ariaBusy = "true";
	event.submitter?.setAttribute("aria-disabled", "true");
});

// A page that the back button brings back as it was left can send its forms again.
window.addEventListener("pageshow", (event) => {
	if (!event.persisted) return;
	for (const form of document.forms) {
		form.ariaBusy = null;
		for (const button of form.querySelectorAll("button")) button.removeAttribute("aria-disabled");
	}
});
