/** A contender gave a wrong answer: its speed is of no interest then. */
export class WrongAnswer extends Error {
	name = "WrongAnswer";
}

export const check = (holds, contender, message) => {
	if (!holds) throw new WrongAnswer(`${contender.name}: ${message}`);
};
