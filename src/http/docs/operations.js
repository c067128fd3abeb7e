/** Where the spec has an operation: `{ path, method, tag, body }`, or nothing. `body` is the example of its body. */
export function findOperation({ specSelectors }, operationId) {
  for (const [path, item] of Object.entries(specSelectors.specJson().toJS().paths ?? {})) {
    for (const [method, operation] of Object.entries(item)) {
      if (operation.operationId === operationId) {
        const body = operation.requestBody?.content?.["application/json"]?.example;
        return { path, method, tag: operation.tags?.[0], body };
      }
    }
  }
}
