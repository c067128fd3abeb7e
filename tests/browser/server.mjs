// The binary on an empty data folder and a free port of the loopback.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export async function startServer(binary) {
  const folder = await mkdtemp(join(tmpdir(), "documines-auth-browser-"));
  const flags = ["--listen", "127.0.0.1:0", "--data-dir", join(folder, "data"), "--argon2-memory-kib", "64"];
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
