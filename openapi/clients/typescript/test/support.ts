import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { AuthClient, type Options } from "../src/index.js";

/** The server that tests/clients/run started for these tests. */
export const live = process.env["AUTH_URL"] ?? "";

export const password = "SecurePass#456";
let people = 0;

/** Somebody with an account and a session. */
export async function loggedIn(options: Partial<Options> = {}): Promise<{ auth: AuthClient; email: string }> {
  const auth = new AuthClient({ baseUrl: live, ...options });
  const email = `ts${process.pid}.${(people += 1)}@example.com`;
  await auth.signup({
    email,
    password,
    organisation: "AI DocuMines User",
    contact_name: "John Doe",
    contact_phone: "+27 444 555 666",
  });
  await auth.login({ email, password });
  return { auth, email };
}

/** The server's own count of an operation's answers. */
export async function counted(operation: string): Promise<number> {
  const text = await (await fetch(`${process.env["METRICS_URL"]}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith("documines_auth_requests_total"));
  const ours = lines.filter((line) => line.includes(`"${operation}"`));
  return ours.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

export type Script = (request: IncomingMessage, response: ServerResponse, calls: number) => void;

/** A server that answers as told, while `use` runs; gives the paths that were called. */
export async function withFake(script: Script, use: (baseUrl: string) => Promise<void>): Promise<string[]> {
  const calls: string[] = [];
  const server = createServer((request, response) => {
    calls.push(request.url ?? "");
    script(request, response, calls.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
  return calls;
}

/** Answers with problem details. */
export function refuse(response: ServerResponse, status: number, code: string, retryAfter?: string): void {
  if (retryAfter !== undefined) response.setHeader("Retry-After", retryAfter);
  response.writeHead(status, { "Content-Type": "application/problem+json" });
  response.end(JSON.stringify({ type: "", title: "t", status, detail: "d", code, request_id: "r" }));
}

/** Answers with success. */
export function answer(response: ServerResponse, body: object): void {
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
}
