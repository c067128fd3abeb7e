import assert from "node:assert/strict";
import { test } from "node:test";

import { AuthClient, isAuthError, UnexpectedAnswerError, type Options } from "../src/index.js";
import { answer, password, refuse, withFake, type Script } from "./support.js";

const profile = { email: "a@example.com" };
const login = { email: "a@example.com", password };

/** Calls that server with a client whose waits take no time; gives the calls and the waits in milliseconds. */
async function calling(script: Script, use: (auth: AuthClient) => Promise<void>, options: Partial<Options> = {}) {
  const waits: number[] = [];
  const sleep = async (milliseconds: number) => void waits.push(milliseconds);
  const calls = await withFake(script, (baseUrl) => use(new AuthClient({ baseUrl, sleep, ...options })));
  return { calls: calls.length, waits };
}

for (const [status, code] of [[429, "rate_limited"], [503, "overloaded"], [503, "unavailable"]] as const) {
  test(`${status} ${code} is waited for, and the login then goes through`, async () => {
    const { calls, waits } = await calling(
      (_, response, count) =>
        count < 3 ? refuse(response, status, code, "2") : answer(response, { access_token: "a", refresh_token: "r" }),
      async (auth) => void (await auth.login(login)),
    );
    assert.equal(calls, 3);
    assert(waits.length === 2 && waits.every((wait) => wait >= 2000 && wait < 3000), String(waits));
  });
}

test("Retry-After may be a date", async () => {
  const { waits } = await calling(
    (_, response, count) =>
      count < 2
        ? refuse(response, 429, "rate_limited", new Date(Date.now() + 20_000).toUTCString())
        : answer(response, profile),
    async (auth) => void (await auth.getProfile()),
  );
  assert(waits[0]! > 10_000 && waits[0]! < 30_000, String(waits));
});

test("it gives up after as many tries as it was told", async () => {
  const { calls } = await calling(
    (_, response) => refuse(response, 503, "overloaded", "1"),
    async (auth) =>
      assert.rejects(auth.login(login), (error) => isAuthError(error, "overloaded") && error.retryAfter === 1),
    { retries: 2 },
  );
  assert.equal(calls, 3);
});

test("it does not wait longer than it was told", async () => {
  const { calls } = await calling(
    (_, response) => refuse(response, 429, "rate_limited", "900"),
    async (auth) => assert.rejects(auth.getProfile(), (error) => isAuthError(error) && error.retryAfter === 900),
  );
  assert.equal(calls, 1);
});

test("it does not try again where nobody said when", async () => {
  const { calls } = await calling(
    (_, response) => refuse(response, 503, "unavailable"),
    async (auth) => assert.rejects(auth.getProfile()),
  );
  assert.equal(calls, 1);
});

test("a proxy's 503 is tried again where doing it twice is the same, and nowhere else", async () => {
  const busy: Script = (_, response, count) =>
    count < 2 ? response.writeHead(503, { "Retry-After": "1" }).end("<html>busy</html>") : answer(response, profile);
  const read = await calling(busy, async (auth) => void (await auth.getProfile()));
  assert.equal(read.calls, 2);
  const reset = await calling(busy, async (auth) => assert.rejects(auth.login(login), UnexpectedAnswerError));
  assert.equal(reset.calls, 1);
});

test("other errors are not tried again", async () => {
  const { calls } = await calling(
    (_, response) => refuse(response, 500, "internal", "1"),
    async (auth) => assert.rejects(auth.getProfile(), (error) => isAuthError(error, "internal")),
  );
  assert.equal(calls, 1);
});

test("who gives a call up is not kept waiting", async () => {
  const controller = new AbortController();
  const { calls } = await calling(
    (_, response) => refuse(response, 503, "unavailable", "1"),
    async (auth) => assert.rejects(auth.getProfile({ signal: controller.signal }), { name: "AbortError" }),
    { sleep: async () => controller.abort() },
  );
  assert.equal(calls, 1);
});
