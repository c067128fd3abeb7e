/** What a client is known by. Plain values, to be stored as JSON; store them as you would a password. */
export interface Credentials {
  /** Of the answer to sign-up. */
  clientId?: string;
  /** Of the answer to sign-up, which shows it once. */
  clientSecret?: string;
  /** Of the last login or refresh. */
  accessToken?: string;
  /** When the access token wants renewing: milliseconds since 1970, shortly before its end. */
  renewAt?: number;
  /** Of the last login or refresh; good for one exchange. */
  refreshToken?: string;
}

// The end of the name tells: client_secret, accessToken, new_password; but not token_type.
const SECRET = /(secret|token|password)$/i;

/** Values as they may be shown: nothing of a secret is left. */
export function redacted<T extends object>(values: T): Record<string, unknown> {
  const shown = ([name, value]: [string, unknown]) => [name, SECRET.test(name) && value != null ? "…" : value];
  return Object.fromEntries(Object.entries(values).map(shown));
}

/** Keeps secrets out of `console.log` and `util.inspect`. JSON and the members themselves stay as they are. */
export function discreet<T>(values: T): T {
  if (typeof values === "object" && values !== null && Object.keys(values).some((name) => SECRET.test(name))) {
    const value = () => redacted(values);
    Object.defineProperty(values, Symbol.for("nodejs.util.inspect.custom"), { value, enumerable: false });
  }
  return values;
}
