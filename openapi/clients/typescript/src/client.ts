import { discreet, redacted, type Credentials } from "./credentials.js";
import { errorOf, isAuthError, type AuthError, type UnexpectedAnswerError } from "./errors.js";
import { basePath, operations } from "./generated/operations.js";
import type { components } from "./generated/schema.js";
import type { Answer, Body, CallOptions, Method, Operation } from "./types.js";

/** How a client is set up. */
export interface Options {
  /** Where the server is, such as `https://accounts.example.com`. */
  baseUrl: string;
  /** What `save` was given last. */
  credentials?: Credentials;
  /** Told of every change of the credentials, and waited for: a spent refresh token is gone for good. */
  save?: (credentials: Credentials) => void | Promise<void>;
  /**
   * Gives back what `save` was given last, perhaps by another tab or process: with it several clients share what is saved,
   * and each looks there before it refreshes. Asked first where there are no `credentials`.
   */
  load?: () => Credentials | undefined | Promise<Credentials | undefined>;
  /** How often a call is tried again that the server is too busy for. 3, unless told. */
  retries?: number;
  /** The longest wait in seconds that Retry-After may ask for before the call fails instead. 30, unless told. */
  longestWait?: number;
  /** Seconds until an answer has to be there. 30, unless told; a refresh has four at most, and a second try. */
  timeout?: number;
  /** Another `fetch` than the platform's. */
  fetch?: typeof fetch;
  /** How a wait is waited; for tests. */
  sleep?: (milliseconds: number) => Promise<void>;
}

type Call = { body?: unknown; options?: CallOptions<Operation> | undefined };

// Seconds for the answer to a refresh. The server exchanges a spent token again for ten seconds, for a caller whom the answer
// did not reach: two tries fit in.
const refreshTimeout = 4;

// Refreshing is the client's own business: see `refresh`.
type Methods = { [O in Exclude<Operation, "refreshToken">]: Method<O> };

/** Each operation of the spec is a method of its name. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- the methods are defined below
export interface AuthClient extends Methods {}

/**
 * One account's client. It keeps the credentials that sign-up, login and refresh answer, sends with each call those
 * that it wants, refreshes the session when its access token ends, and waits where the server is too busy.
 */
export class AuthClient {
  readonly #base: string;
  readonly #settings: Required<Pick<Options, "save" | "load" | "retries" | "longestWait" | "timeout" | "fetch" | "sleep">>;
  #credentials: Credentials;
  #refreshing: Promise<void> | undefined;
  #hasBegun: boolean;

  constructor(options: Options) {
    this.#base = options.baseUrl.trim().replace(/\/+$/, "") + basePath;
    this.#credentials = { ...options.credentials };
    this.#hasBegun = options.credentials !== undefined;
    this.#settings = {
      save: options.save ?? (() => undefined),
      load: options.load ?? (() => undefined),
      retries: options.retries ?? 3,
      longestWait: options.longestWait ?? 30,
      timeout: options.timeout ?? 30,
      fetch: options.fetch ?? ((...call) => fetch(...call)),
      sleep: options.sleep ?? ((milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))),
    };
  }

  /** A copy of what the client is known by, to be stored. */
  get credentials(): Credentials {
    return discreet({ ...this.#credentials });
  }

  /** Forgets the session, and keeps the client. */
  async forgetSession(): Promise<void> {
    const { clientId, clientSecret } = this.#credentials;
    await this.#keep({ ...(clientId && { clientId }), ...(clientSecret && { clientSecret }) });
  }

  /**
   * Calls an operation by its id.
   *
   * @throws AuthError when the server refuses; UnexpectedAnswerError when something else answered; what `fetch` throws
   * when nothing did.
   */
  async call<O extends Operation>(operation: O, body?: Body<O>, options?: CallOptions<O>): Promise<Answer<O>> {
    const call = { body, options: options as CallOptions<Operation> | undefined };
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      await this.#takeOver();
    }
    if (!this.#wants(operation, "bearer")) return this.#send(operation, call);
    if (this.#credentials.refreshToken !== undefined && this.#isDue()) {
      // Not yet at its end: as long as the session lives, the call may be tried with what there is.
      await this.refresh().catch((error) => {
        if (isAuthError(error, "invalid_refresh_token")) throw error;
      });
    }
    const token = this.#credentials.accessToken;
    return this.#send(operation, call).catch(async (error) => {
      if (!isAuthError(error, "invalid_token") || this.#credentials.refreshToken === undefined) throw error;
      // Whoever came first has refreshed already.
      if (this.#credentials.accessToken === token) await this.refresh();
      return this.#send(operation, call);
    });
  }

  /** Exchanges the refresh token. Calls that want it at the same time share one exchange. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#exchange().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #exchange(): Promise<void> {
    let isTakenOver = await this.#takeOver();
    while (!isTakenOver || this.#isDue()) {
      const spent = this.#credentials.refreshToken;
      if (spent === undefined) throw new Error("there is no session to refresh: log in first");
      try {
        await this.#send("refreshToken", { body: { refresh_token: spent } }, spent);
        return;
      } catch (error) {
        const hasEnded = isAuthError(error, "invalid_refresh_token") && this.#credentials.refreshToken === spent;
        if (!hasEnded) throw error;
        // Another may have refreshed just now.
        isTakenOver = await this.#takeOver();
        if (isTakenOver) continue;
        await this.forgetSession();
        throw error;
      }
    }
  }

  /** Goes on with the tokens that another with the same credentials has saved since; says whether there are any. */
  async #takeOver(): Promise<boolean> {
    const stored = await this.#settings.load();
    const ours = this.#credentials;
    if (stored === undefined || (ours.clientId !== undefined && ours.clientId !== stored.clientId)) return false;
    const isAnother = stored.refreshToken !== undefined && stored.refreshToken !== ours.refreshToken;
    const isNewer = ours.renewAt === undefined || stored.renewAt === undefined || stored.renewAt > ours.renewAt;
    const isEmpty = Object.keys(ours).length === 0;
    if (!isEmpty && !(isAnother && isNewer)) return false;
    this.#credentials = { ...stored };
    return isAnother;
  }

  #isDue(): boolean {
    const { renewAt } = this.#credentials;
    return renewAt !== undefined && renewAt <= Date.now();
  }

  #wants(operation: Operation, credential: string): boolean {
    return (operations[operation].credentials as readonly string[]).includes(credential);
  }

  /** Sends, and sends again where that is safe. */
  async #send<O extends Operation>(operation: O, call: Call, spent?: string): Promise<Answer<O>> {
    let mayBeLost = spent !== undefined;
    for (let tries = 0; ; ) {
      let response: Response;
      let answer;
      try {
        response = await this.#fetch(operation, call, spent !== undefined);
        if (response.ok && response.status !== 204) answer = await response.json();
      } catch (error) {
        // The server may have exchanged the token, and does so once more if it is asked soon.
        if (!mayBeLost) throw error;
        mayBeLost = false;
        continue;
      }
      if (response.ok) {
        await this.#learn(answer, spent);
        return discreet(answer as Answer<O>);
      }
      const error = await errorOf(response);
      if (mayBeLost && !isAuthError(error) && error.status >= 500) {
        mayBeLost = false;
        continue;
      }
      const wait = waitIsSafe(operation, error) ? error.retryAfter : undefined;
      if (wait === undefined || wait > this.#settings.longestWait || tries >= this.#settings.retries) throw error;
      tries += 1;
      // Never earlier than asked; a little later, so that those who were sent away together do not return together.
      await this.#settings.sleep(wait * 1000 + Math.random() * (250 + wait * 250));
      call.options?.signal?.throwIfAborted();
    }
  }

  #fetch(operation: Operation, { body, options }: Call, isRefresh: boolean): Promise<Response> {
    const { method, path } = operations[operation];
    const given = (options?.path ?? {}) as Record<string, unknown>;
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(given[name])));
    const query = Object.entries(options?.query ?? {}).filter(([, value]) => value !== undefined);
    const url = new URL(this.#base + filled);
    query.forEach(([name, value]) => url.searchParams.append(name, String(value)));

    const headers = new Headers({ Accept: "application/json, application/problem+json" });
    const { clientId, clientSecret, accessToken } = this.#credentials;
    if (this.#wants(operation, "clientId") && clientId) headers.set("X-Client-ID", clientId);
    if (this.#wants(operation, "clientSecret") && clientSecret) headers.set("X-Client-Secret", clientSecret);
    if (this.#wants(operation, "bearer") && accessToken) headers.set("Authorization", `Bearer ${accessToken}`);
    if (body !== undefined) headers.set("Content-Type", "application/json");

    const timeout = isRefresh ? Math.min(this.#settings.timeout, refreshTimeout) : this.#settings.timeout;
    const signals = [AbortSignal.timeout(timeout * 1000)];
    if (options?.signal) signals.push(options.signal);
    // A redirect would carry the credentials elsewhere.
    const request: RequestInit = { method, headers, signal: AbortSignal.any(signals), redirect: "error" };
    if (body !== undefined) request.body = JSON.stringify(body);
    return this.#settings.fetch(url, request);
  }

  /** Keeps the credentials in an answer: a new client's, or a session's next pair of tokens. */
  async #learn(answer: object | undefined, spent?: string): Promise<void> {
    if (answer === undefined) return;
    if ("client_secret" in answer && "client_id" in answer) {
      const { client_id, client_secret } = answer as components["schemas"]["SignupAnswer"];
      await this.#keep({ clientId: client_id, clientSecret: client_secret });
    }
    // Who logged in while a refresh was on its way keeps the newer session.
    const isCurrent = spent === undefined || spent === this.#credentials.refreshToken;
    if ("access_token" in answer && "refresh_token" in answer && isCurrent) {
      const { access_token, expires_in, refresh_token } = answer as components["schemas"]["TokenAnswer"];
      // By our own clock, which the server's need not agree with; ahead of the end by a tenth, at most 30 seconds.
      const renewAt = Date.now() + (expires_in - Math.min(30, expires_in / 10)) * 1000;
      const { clientId, clientSecret } = this.#credentials;
      const client = { ...(clientId && { clientId }), ...(clientSecret && { clientSecret }) };
      await this.#keep({ ...client, accessToken: access_token, renewAt, refreshToken: refresh_token });
    }
  }

  async #keep(credentials: Credentials): Promise<void> {
    this.#credentials = credentials;
    await this.#settings.save(this.credentials);
  }

  /** Secrets are kept out of JSON and of what consoles show. */
  toJSON(): object {
    return { baseUrl: this.#base.slice(0, -basePath.length), credentials: redacted(this.#credentials) };
  }

  [Symbol.for("nodejs.util.inspect.custom")](): object {
    return this.toJSON();
  }
}

/**
 * Whether the call may be sent again. 429 is said before a call is looked at, and the server's own 503 when it did
 * nothing. What a proxy's 503 leaves open only matters where a call done twice is not the same as done once.
 */
function waitIsSafe(operation: Operation, error: AuthError | UnexpectedAnswerError): boolean {
  const isOurs = isAuthError(error, "overloaded") || isAuthError(error, "unavailable");
  const isIdempotent = ["GET", "PUT", "DELETE"].includes(operations[operation].method);
  return error.status === 429 || (error.status === 503 && (isOurs || isIdempotent));
}

for (const operation of Object.keys(operations) as Operation[]) {
  const value = function (this: AuthClient, ...given: unknown[]): Promise<unknown> {
    const [body, options] = operations[operation].takesBody ? given : [undefined, given[0]];
    return this.call(operation, body as never, options as never);
  };
  if (operation !== "refreshToken") Object.defineProperty(AuthClient.prototype, operation, { value });
}
