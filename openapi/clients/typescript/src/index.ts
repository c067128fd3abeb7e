export { AuthClient, type Options } from "./client.js";
export type { Credentials } from "./credentials.js";
export { AuthError, isAuthError, UnexpectedAnswerError, type FieldError } from "./errors.js";
export type { ErrorCode } from "./generated/operations.js";
export type { components } from "./generated/schema.js";
export type { Answer, Body, CallOptions, Operation } from "./types.js";
