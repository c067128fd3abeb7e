// Spares the newcomer the copying: what an answer gives goes behind "Authorize", and into the bodies that want it next.

import { findOperation } from "./operations.js";

const TOKENS = {
  authorise: ({ answer }) => ({ bearer: answer.access_token }),
  // A refresh token is good for one exchange; pressing "Execute" again with the spent one would end the session.
  fill: ({ answer }) => ({ refreshToken: { refresh_token: answer.refresh_token } }),
};

/** What follows from the success of an operation, by its id. */
const AFTER = {
  signup: {
    authorise: ({ answer }) => ({ clientId: answer.client_id, clientSecret: answer.client_secret }),
    // The token of an account before this one would be refused beside the new client.
    forget: ["bearer"],
    fill: ({ sent }) => ({
      login: { email: sent.email, password: sent.password },
      requestPasswordReset: { email: sent.email },
    }),
  },
  login: TOKENS,
  refreshToken: TOKENS,
  requestPasswordReset: {
    fill: ({ answer }) => ({ resetPassword: { token: answer.reset_token } }),
  },
  resetPassword: {
    // There where the body asked for a new client.
    authorise: ({ answer }) => ({ clientId: answer.client_id, clientSecret: answer.client_secret }),
    // Every session of the account has ended.
    forget: ["bearer"],
    fill: ({ sent }) => ({ login: { password: sent.new_password } }),
  },
};

/** `undefined` where the text is no JSON object. */
function parse(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : undefined;
  } catch {
    return undefined;
  }
}

function authorise({ authActions, specSelectors }, credentials) {
  const schemes = specSelectors.securityDefinitions();
  for (const [name, value] of Object.entries(credentials)) {
    const schema = schemes?.get(name);
    if (value && schema) authActions.authorizeWithPersistOption({ [name]: { name, schema, value } });
  }
}

/** Takes credentials from behind "Authorize": those of the names that are there. */
export function forget({ authActions, authSelectors }, names) {
  const there = names.filter((name) => authSelectors.authorized()?.has(name));
  if (there.length > 0) authActions.logoutWithPersistOption(there);
}

/** Puts members into the body of an operation and leaves what else stands there as it is. */
function fill(system, operationId, members) {
  const operation = findOperation(system, operationId);
  if (!operation) return;
  const { path, method } = operation;
  const typed = system.oas3Selectors.requestBodyValue(path, method);
  const body = typed ? parse(typed) : operation.body ?? {};
  const known = Object.entries(members).filter(([, value]) => value !== undefined);
  if (!body || known.length === 0) return;
  const value = JSON.stringify({ ...body, ...Object.fromEntries(known) }, null, 2);
  const pathMethod = [path, method];
  system.oas3Actions.setRequestBodyValue({ value, pathMethod });
  // An operation that is unfolded for the first time would start over with its example.
  system.oas3Actions.setRetainRequestBodyValueFlag({ value: true, pathMethod });
}

function learn(system, path, method, response) {
  const { specSelectors } = system;
  const after = AFTER[specSelectors.specJson().getIn(["paths", path, method, "operationId"])];
  const answer = parse(response.text);
  if (!after || !response.ok || !answer) return;
  const sent = parse(specSelectors.mutatedRequestFor(path, method)?.get("body")) ?? {};
  forget(system, after.forget ?? []);
  if (after.authorise) authorise(system, after.authorise({ answer }));
  const bodies = after.fill?.({ answer, sent }) ?? {};
  for (const [operationId, members] of Object.entries(bodies)) fill(system, operationId, members);
}

export const credentials = () => ({
  statePlugins: {
    spec: {
      wrapActions: {
        setResponse: (original, system) => (path, method, response) => {
          const action = original(path, method, response);
          learn(system, path, method, response);
          return action;
        },
      },
    },
  },
});
