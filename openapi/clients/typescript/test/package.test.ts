import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

test("version and licence are the server's", () => {
  const spec = JSON.parse(readFileSync("../../openapi.json", "utf8"));
  const manifest = JSON.parse(readFileSync("package.json", "utf8"));
  assert.equal(manifest.version, spec.info.version);
  assert.equal(manifest.license, spec.info.license.name);
});
