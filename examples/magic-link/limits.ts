import type { RequestHandler } from "express";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { clientLimit } from "./config.js";

/** The next request is allowed only in so many seconds. */
export class TooManyRequests extends Error {
	constructor(readonly retryAfter: number) {
		super("Too many requests");
	}
}

/** Makes a limit: each key has that many points in ten minutes. With several processes, keep it in Redis. */
const limit = (points: number) => {
	const limiter = new RateLimiterMemory({ points, duration: 60 * 10 });
	return async (key: string): Promise<void> => {
		await limiter.consume(key).catch((error: unknown) => {
			if (!(error instanceof RateLimiterRes)) throw error;
			throw new TooManyRequests(Math.ceil(error.msBeforeNext / 1000));
		});
	};
};

/** Limits how many forms of a kind a client sends: each call makes a limit of its own. */
export const perClient = <Params = Record<string, string>>(): RequestHandler<Params> => {
	const consume = limit(clientLimit);
	return async (request, _response, next) => {
		await consume(request.ip ?? "");
		next();
	};
};

/** Limits the passwords that anybody tries at one address. */
export const perAddress = limit(20);

/** Limits the passwords that a signed-in user tries. Nobody else can use these up. */
export const perUser = limit(20);
