// The binary on an empty data folder and a free port of the loopback.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export async function startServer(binary, more = []) {
  const folder = await mkdtemp(join(tmpdir(), "documines-auth-browser-"));
  const flags = ["--listen", "127.0.0.1:0", "--data-dir", join(folder, "data"), "--argon2-memory-kib", "64", ...more];
  const child = spawn(binary, flags, { cwd: folder, env: {}, stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const log = [];
  const origin = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`the server ended:\n${log.join("\n")}`)));
    createInterface({ input: child.stderr }).on("line", (line) => {
      log.push(line);
      const address = line.replace(/\u001b\[[0-9;]*m/g, "").match(/127\.0\.0\.1:(\d+)/);
      if (address) resolve(`http://${address[0]}`);
    });
  });
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  return { origin, stop };
}

const PREFIX = "/accounts";

/** The same behind a proxy that takes a path off; `origin` has the path. */
export async function startBehindAPath(binary) {
  let target;
  const proxy = createServer((asked, answer) => {
    if (!asked.url.startsWith(`${PREFIX}/`)) return answer.writeHead(404).end();
    const { method, headers } = asked;
    const handedOn = request(`${target}${asked.url.slice(PREFIX.length)}`, { method, headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    return asked.pipe(handedOn);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const origin = `http://127.0.0.1:${proxy.address().port}${PREFIX}`;
  const server = await startServer(binary, ["--public-url", origin]);
  target = server.origin;
  const stop = async () => {
    proxy.closeAllConnections();
    proxy.close();
    await server.stop();
  };
  return { origin, stop };
}
