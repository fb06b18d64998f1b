/** A contender gave a wrong answer, so its speed does not matter. */
export class WrongAnswer extends Error {
	name = "WrongAnswer";
}

export const check = (holds, contender, message) => {
	if (!holds) throw new WrongAnswer(`${contender.name}: ${message}`);
};
