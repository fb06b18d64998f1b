/* global addEventListener, document, location */
// Sends a form with data-once only once, even before the framework has loaded. Otherwise the second click
// of a double click would show the page of a used link.
const sent = new WeakSet();

addEventListener(
	"submit",
	(event) => {
		if (!("once" in event.target.dataset)) return;
		if (sent.has(event.target)) {
			event.preventDefault();
			event.stopImmediatePropagation();
		}
		sent.add(event.target);
	},
	{ capture: true },
);

// The back button may bring a page back as it was left, with a link that has been used since.
addEventListener("pageshow", ({ persisted }) => {
	if (persisted && document.querySelector("[data-once]")) location.reload();
});
