// Writes src/generated from the spec: the types, and what the client has to know of each operation while it runs.
import { mkdir, readFile, writeFile } from "node:fs/promises";

import openapiTS, { astToString } from "openapi-typescript";

const spec = new URL("../../openapi.json", import.meta.url);
const folder = new URL("src/generated/", import.meta.url);
const document = JSON.parse(await readFile(spec, "utf8"));

const operations = {};
const codes = new Set();
for (const [path, item] of Object.entries(document.paths)) {
  for (const [method, operation] of Object.entries(item)) {
    const credentials = Object.keys(operation.security?.[0] ?? {}).sort();
    const takesBody = operation.requestBody !== undefined;
    operations[operation.operationId] = { method: method.toUpperCase(), path, credentials, takesBody };
    for (const response of Object.values(operation.responses)) {
      const examples = response.content?.["application/problem+json"]?.examples ?? {};
      Object.keys(examples).forEach((code) => codes.add(code));
    }
  }
}

const base = JSON.stringify(document.servers[0].url);
await mkdir(folder, { recursive: true });
await writeFile(new URL("schema.ts", folder), astToString(await openapiTS(document)));
await writeFile(
  new URL("operations.ts", folder),
  `/** Where the operations are. */
export const basePath = ${base};

/** How each operation is called, and with which credentials. */
export const operations = ${JSON.stringify(operations, null, 2)} as const;

/** What went wrong, as the server tells it. */
export type ErrorCode = ${[...codes].sort().map((code) => JSON.stringify(code)).join(" | ")};
`,
);
