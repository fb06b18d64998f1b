/* global addEventListener */
// The second click of a double click would find the link used, and its page would take the place of
// the first one's. This works before the framework does: a form with data-once is sent once.
let sent = new WeakSet();

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

// The back button may bring a page back as it was left.
addEventListener("pageshow", () => {
	sent = new WeakSet();
});
