export { LuciaTokenError, type LuciaTokenErrorMessage } from "./error.js";
export { type IdTokenOptions, type IdTokenWrapper, idToken } from "./id-token.js";
export type { TokenHandler } from "./handler.js";
export type { Guess, KeyStore, StoredKey, SweptBatch } from "./key-store.js";
export type { BindingOptions, IssueOptions, TokenOptions, ValidateOptions } from "./options.js";
export {
	type PasswordTokenOptions,
	type PasswordTokenWrapper,
	passwordToken,
} from "./password-token.js";
export type { LuciaAuth } from "./stores/lucia.js";
export type { SweepOptions } from "./sweep.js";
export { type SingleUseKey, Token } from "./token.js";
