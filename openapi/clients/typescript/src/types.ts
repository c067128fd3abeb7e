import type { operations as table } from "./generated/operations.js";
import type { operations as Schema } from "./generated/schema.js";

/** An operation's id in the spec. */
export type Operation = keyof typeof table & keyof Schema;

type Json<T> = T extends { content: { "application/json": infer Content } } ? Content : undefined;

/** What an operation takes. */
export type Body<O extends Operation> = Schema[O] extends { requestBody: infer Taken } ? Json<Taken> : undefined;

type Success<O extends Operation> = keyof Schema[O]["responses"] & (200 | 201 | 202 | 204);

/** What an operation answers when it succeeds. */
export type Answer<O extends Operation> = { [S in Success<O>]: Json<Schema[O]["responses"][S]> }[Success<O>];

type Parameters<O extends Operation, Place extends string> = Schema[O] extends {
  parameters: { [P in Place]?: infer Given };
}
  ? Given
  : undefined;

/** What else may be said of a call. */
export interface CallOptions<O extends Operation> {
  /** Gives the call up. */
  signal?: AbortSignal;
  /** What goes behind the question mark. */
  query?: Parameters<O, "query">;
  /** What goes into the path. */
  path?: Parameters<O, "path">;
}

/** The operation as a function: of its body, where it takes one. */
export type Method<O extends Operation> = [Body<O>] extends [undefined]
  ? (options?: CallOptions<O>) => Promise<Answer<O>>
  : (body: Body<O>, options?: CallOptions<O>) => Promise<Answer<O>>;
