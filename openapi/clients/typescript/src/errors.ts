import type { ErrorCode } from "./generated/operations.js";
import type { components } from "./generated/schema.js";

type Problem = components["schemas"]["Problem"];

/** A member of the body that breaks a rule; `field` is a JSON Pointer. */
export type FieldError = components["schemas"]["FieldError"];

/** The server refused a call. Tell refusals apart by `code`; the message is for people. */
export class AuthError<Code extends string = ErrorCode> extends Error {
  override readonly name = "AuthError";
  /** Stable: what programs go by. A newer server may know more of them. */
  readonly code: Code;
  /** The HTTP status. */
  readonly status: number;
  /** Quote it when you report a problem. */
  readonly requestId: string;
  /** Each member of the body that breaks a rule. */
  readonly errors: FieldError[];
  /** A page that explains the code. */
  readonly type: string;
  /** Seconds until another try makes sense, where the server says so. */
  readonly retryAfter: number | undefined;

  constructor(problem: Problem, retryAfter?: number) {
    super(`${problem.title}: ${problem.detail}`);
    this.code = problem.code as Code;
    this.status = problem.status;
    this.requestId = problem.request_id;
    this.errors = problem.errors ?? [];
    this.type = problem.type;
    this.retryAfter = retryAfter;
  }
}

/** Whether that was a refusal, and this one. */
export function isAuthError<Code extends ErrorCode>(error: unknown, code?: Code): error is AuthError<Code> {
  return error instanceof AuthError && (code === undefined || error.code === code);
}

/** Something between here and the server answered, such as a proxy. */
export class UnexpectedAnswerError extends Error {
  override readonly name = "UnexpectedAnswerError";
  /** The HTTP status. */
  readonly status: number;
  /** Seconds until another try makes sense, where the answer says so. */
  readonly retryAfter: number | undefined;

  constructor(status: number, retryAfter?: number) {
    super(`an answer that is not the server's, with status ${status}`);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** The error that an answer is; its body is read up. */
export async function errorOf(response: Response): Promise<AuthError | UnexpectedAnswerError> {
  const problem = await response.json().catch(() => undefined);
  const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
  if (!isProblem || typeof problem?.code !== "string") return new UnexpectedAnswerError(response.status, retryAfter(response));
  return new AuthError(problem, retryAfter(response));
}

/** The header Retry-After in seconds; it may be a number or a date (RFC 9110, section 10.2.3). */
function retryAfter(response: Response): number | undefined {
  const header = response.headers.get("Retry-After");
  if (header === null) return undefined;
  if (/^\d+$/.test(header)) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}
