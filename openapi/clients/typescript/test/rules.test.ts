import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";

import { AuthClient, isAuthError, type Credentials } from "../src/index.js";
import { answer, refuse, withFake, type Script } from "./support.js";

// The rules that this client shares with the one for Python. The tests run in the package's folder.
const rules = JSON.parse(readFileSync("../rules.json", "utf8")) as { base_urls: BaseUrl[]; sessions: Session[] };

type BaseUrl = { name: string; given: string; expected: string };
type Given = { number: number; due?: boolean; client?: string };
type Session = {
  name: string;
  given: { ours?: Given; stored?: Given | Given[]; answers: { refresh: string[]; other: string[] } };
  expected: { calls: string[]; outcome: string; kept: number | null; saved: (number | null)[] };
};

const later = Date.now() + 600_000;

function credentials({ number, due, client }: Given): Credentials {
  const renewAt = due ? number : later + 60_000 * number;
  return { clientId: client ?? "c", clientSecret: "s", accessToken: `a${number}`, refreshToken: `r${number}`, renewAt };
}

function numberOf(token: string | undefined): number | null {
  return token === undefined ? null : Number(token.replace("Bearer ", "").slice(1));
}

async function bodyOf(request: IncomingMessage): Promise<{ refresh_token?: string }> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text === "" ? {} : JSON.parse(text);
}

for (const { name, given, expected } of rules.base_urls) {
  test(`a base URL ${name}`, async () => {
    const refusing: Script = (_, response) => refuse(response, 401, "invalid_token");
    const paths = await withFake(refusing, async (server) => {
      const auth = new AuthClient({ baseUrl: given.replace("{server}", server) });
      await assert.rejects(auth.getProfile(), (error) => isAuthError(error, "invalid_token"));
    });
    assert.deepEqual(paths, [expected]);
  });
}

for (const { name, given, expected } of rules.sessions) {
  test(`a session: ${name}`, async () => {
    const calls: string[] = [];
    const saved: (number | null)[] = [];
    const answers = { refresh: [...given.answers.refresh], other: [...given.answers.other] };
    const stored = given.stored === undefined || Array.isArray(given.stored) ? given.stored : [given.stored];
    const waiting = [...(stored ?? [])];
    const load = () => {
      const next = waiting.length > 1 ? waiting.shift() : waiting[0];
      return next && credentials(next);
    };
    const script: Script = (request, response) =>
      void bodyOf(request).then((body) => {
        const kind = request.url?.includes("refresh") ? "refresh" : "other";
        calls.push(`${kind} ${numberOf(body.refresh_token ?? request.headers.authorization)}`);
        const [said, detail] = answers[kind].shift()?.split(" ") ?? [];
        // What is lost has no answer.
        if (said === "lost") return;
        if (said === "ok") answer(response, { message: "ok" });
        else if (said === "proxy") response.writeHead(Number(detail), { "Content-Type": "text/html" }).end("bad gateway");
        else if (said !== "pair") refuse(response, 401, said ?? "no_answer_left");
        else answer(response, { access_token: `a${detail}`, refresh_token: `r${detail}`, expires_in: 600 });
      });
    let auth: AuthClient | undefined;
    let outcome = "ok";
    await withFake(script, async (baseUrl) => {
      const ours = given.ours && { credentials: credentials(given.ours) };
      const save = (kept: Credentials) => void saved.push(numberOf(kept.refreshToken));
      auth = new AuthClient({ baseUrl, ...ours, save, load, timeout: 0.3 });
      await auth.updateProfile({ address: "x" }).catch((error: unknown) => {
        outcome = isAuthError(error) ? error.code : String(error);
      });
    });
    assert.deepEqual({ calls, outcome, kept: numberOf(auth?.credentials.refreshToken), saved }, expected);
  });
}
