import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { inspect } from "node:util";

import { AuthClient, isAuthError, type Credentials } from "../src/index.js";
import { answer, counted, live, loggedIn, password, refuse, withFake, type Script } from "./support.js";

const stale = "x".repeat(30);

test("the whole walk", async () => {
  const { auth, email } = await loggedIn();
  assert.equal((await auth.getProfile()).email, email);
  assert.equal((await auth.updateProfile({ contact_name: "John Updated" })).message, "Profile updated successfully");
  assert.equal((await auth.getProfile()).contact_name, "John Updated");
  await auth.updateProfile({ address: "12 Protea Lane" });
  await auth.updateProfile({ address: null });
  assert.equal((await auth.getProfile()).address, null);

  const { reset_token } = await auth.requestPasswordReset({ email });
  assert(reset_token !== undefined);
  await auth.resetPassword({ token: reset_token, new_password: "NewSecurePass#789" });
  await assert.rejects(auth.getProfile(), (error) => isAuthError(error, "invalid_refresh_token"));
  assert.deepEqual(Object.keys(auth.credentials), ["clientId", "clientSecret"]);

  await auth.login({ email, password: "NewSecurePass#789" });
  const before = auth.credentials.accessToken;
  await auth.refresh();
  assert.notEqual(auth.credentials.accessToken, before);
  assert.equal((await auth.getProfile()).email, email);
});

test("who lost the client gets a new one by a reset, and logs in with it", async () => {
  const { email } = await loggedIn();
  const saved: Credentials[] = [];
  const auth = new AuthClient({ baseUrl: live, save: (credentials) => void saved.push(credentials) });
  const { reset_token } = await auth.requestPasswordReset({ email });
  assert(reset_token !== undefined);
  const done = await auth.resetPassword({ token: reset_token, new_password: "NewSecurePass#789", new_client: true });
  assert.deepEqual(saved, [{ clientId: done.client_id, clientSecret: done.client_secret }]);
  await auth.login({ email, password: "NewSecurePass#789" });
  assert.equal((await auth.getProfile()).email, email);
});

for (const [name, expired] of Object.entries({
  "that the server refuses": { accessToken: stale },
  "that is about to end": { renewAt: Date.now() - 1 },
})) {
  test(`twenty calls at once with a token ${name} lead to one refresh`, async () => {
    const { auth: first, email } = await loggedIn();
    const saved: Credentials[] = [];
    const save = (credentials: Credentials) => void saved.push(credentials);
    const auth = new AuthClient({ baseUrl: live, credentials: { ...first.credentials, ...expired }, save });
    const before = await counted("refreshToken");
    const profiles = await Promise.all(Array.from({ length: 20 }, () => auth.getProfile()));
    assert(profiles.every((profile) => profile.email === email));
    assert.equal((await counted("refreshToken")) - before, 1);
    assert.equal(saved.length, 1);
    assert.deepEqual(saved[0], auth.credentials);
  });
}

test("a client set up from what was saved goes on with the session", async () => {
  let stored = "";
  const { email } = await loggedIn({ save: (credentials) => void (stored = JSON.stringify(credentials)) });
  const auth = new AuthClient({ baseUrl: live, credentials: JSON.parse(stored) });
  assert.equal((await auth.getProfile()).email, email);
});

test("a call waits until the new tokens are saved", async () => {
  let saving = (_: () => void) => {};
  const begun = new Promise<() => void>((resolve) => (saving = resolve));
  const save = () => new Promise<void>((resolve) => saving(resolve));
  const script: Script = (request, response) => {
    if (request.url?.includes("refresh")) answer(response, { access_token: "new", refresh_token: "n", expires_in: 60 });
    else answer(response, { email: "a@example.com" });
  };
  const calls = await withFake(script, async (baseUrl) => {
    const auth = new AuthClient({ baseUrl, credentials: { refreshToken: "r", renewAt: 0 }, save });
    const profile = auth.getProfile();
    const saved = await begun;
    // The time of three calls later it still waits.
    for (let calls = 0; calls < 3; calls += 1) await fetch(`${baseUrl}/meanwhile`);
    saved();
    await profile;
  });
  assert.deepEqual(calls.map((path) => path.split("/").at(-2)), ["refresh-token", "", "", "", "profile"]);
});

test("a refusal that comes after another call's refresh leads to no second one", async () => {
  let arrived = (_: ServerResponse) => {};
  const late = new Promise<ServerResponse>((resolve) => (arrived = resolve));
  const script: Script = (request, response, count) => {
    if (request.url?.includes("refresh")) answer(response, { access_token: "new", refresh_token: "n", expires_in: 60 });
    else if (request.headers.authorization === "Bearer new") answer(response, { email: "a@example.com" });
    else if (count === 1) arrived(response);
    else refuse(response, 401, "invalid_token");
  };
  const calls = await withFake(script, async (baseUrl) => {
    const auth = new AuthClient({ baseUrl, credentials: { accessToken: "old", refreshToken: "r" } });
    const first = auth.getProfile();
    const held = await late;
    await auth.getProfile();
    refuse(held, 401, "invalid_token");
    await first;
  });
  assert.equal(calls.filter((path) => path.includes("refresh")).length, 1);
});

test("a session that has ended is forgotten, the client is kept", async () => {
  const { auth: first } = await loggedIn();
  const credentials = { ...first.credentials, accessToken: stale, refreshToken: stale };
  const auth = new AuthClient({ baseUrl: live, credentials });
  await assert.rejects(auth.getProfile(), (error) => isAuthError(error, "invalid_refresh_token"));
  assert.deepEqual(Object.keys(auth.credentials), ["clientId", "clientSecret"]);
});

test("who logs in while a refresh is on its way keeps the new session", async () => {
  const tokens = (name: string) => ({ access_token: name, refresh_token: name, expires_in: 60 });
  let arrived = (_: ServerResponse) => {};
  const refreshing = new Promise<ServerResponse>((resolve) => (arrived = resolve));
  const script: Script = (request, response) => {
    if (request.url?.includes("refresh")) arrived(response);
    else answer(response, tokens("new"));
  };
  await withFake(script, async (baseUrl) => {
    const auth = new AuthClient({ baseUrl, credentials: { refreshToken: "spent" } });
    const refresh = auth.refresh();
    const held = await refreshing;
    await auth.login({ email: "a@example.com", password });
    answer(held, tokens("old"));
    await refresh;
    assert.equal(auth.credentials.accessToken, "new");
  });
});

test("refusals are told apart by their code", async () => {
  const { auth, email } = await loggedIn();
  await assert.rejects(auth.login({ email, password: "wrong" }), (error) => {
    assert(isAuthError(error, "invalid_credentials"));
    assert.equal(error.status, 401);
    assert.match(error.requestId, /^[0-9a-f-]{36}$/);
    return true;
  });
  await assert.rejects(auth.updateProfile({ contact_phone: "none" }), (error) => {
    assert(isAuthError(error, "invalid_request"));
    assert.equal(error.errors[0]?.field, "/contact_phone");
    return true;
  });
  const nobody = new AuthClient({ baseUrl: live });
  await assert.rejects(nobody.getProfile(), (error) => isAuthError(error, "invalid_client"));
  await assert.rejects(nobody.refresh(), /log in first/);
});

test("no secret is shown by accident", async () => {
  const { auth, email } = await loggedIn();
  const again = await auth.login({ email, password });
  const { clientSecret = "", accessToken = "", refreshToken = "" } = auth.credentials;
  assert(clientSecret && accessToken && refreshToken);
  const shown = [inspect(auth), JSON.stringify(auth), String(auth), inspect(auth.credentials), inspect(again)].join();
  for (const secret of [clientSecret, accessToken, refreshToken]) assert(!shown.includes(secret), shown);
  assert.match(shown, /…/);
  assert.equal(JSON.parse(JSON.stringify(again)).access_token, accessToken);
});

test("a redirect does not carry the credentials elsewhere", async () => {
  const calls = await withFake(
    (_, response) => response.writeHead(307, { Location: "/elsewhere" }).end(),
    async (baseUrl) => {
      const auth = new AuthClient({ baseUrl, credentials: { clientId: "c", accessToken: "t" } });
      await assert.rejects(auth.getProfile());
    },
  );
  assert.equal(calls.length, 1);
});

test("a session whose refresh meets a busy server is kept", async () => {
  const calls = await withFake(
    (request, response) => {
      if (request.url?.includes("refresh")) refuse(response, 503, "unavailable");
      else answer(response, { email: "a@example.com" });
    },
    async (baseUrl) => {
      const credentials = { accessToken: "t", renewAt: 0, refreshToken: "r" };
      const auth = new AuthClient({ baseUrl, credentials });
      assert.equal((await auth.getProfile()).email, "a@example.com");
      assert.equal(auth.credentials.refreshToken, "r");
    },
  );
  assert.equal(calls.length, 2);
});
