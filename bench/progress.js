import { MultiBar, Presets } from "cli-progress";

/** A bar for each database on a terminal, and a line for each step elsewhere. */
export const createProgress = () => {
	const bars = new MultiBar(
		{
			format: "{bar} {percentage}%  {database}  {step}",
			fps: 5,
			barsize: 20,
			hideCursor: true,
		},
		Presets.shades_classic,
	);
	return {
		start(database, steps) {
			if (!process.stderr.isTTY) {
				let done = 0;
				return {
					step: (step) => console.error(`${++done}/${steps} ${database}: ${step}`),
				};
			}
			const bar = bars.create(steps, 0, { database, step: "" });
			return {
				step: (step) => {
					bar.increment(1, { step });
				},
			};
		},
		stop: () => bars.stop(),
	};
};
