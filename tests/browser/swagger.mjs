// Swagger UI by its buttons, and what it must never do: complain, break its policy, ask another host.

import assert from "node:assert/strict";

/** The browser's line for an answer of 400 or above; the walk has such answers on purpose. */
const REFUSED = /^Failed to load resource: the server responded with a status of 4\d\d/;

export async function openPage(browser, origin, options) {
  const context = await browser.newContext(options);
  // A busy machine draws slowly; nothing here is about speed.
  context.setDefaultTimeout(180_000);
  const complaints = [];
  await context.exposeBinding("violation", (_, text) => complaints.push(`policy: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      window.violation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`),
    );
  });
  await context.route("**/*", (route) => {
    if (route.request().url().startsWith(`${origin}/`)) return route.continue();
    complaints.push(`request to ${route.request().url()}`);
    return route.abort();
  });
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error.stack}`));
  page.on("console", (message) => {
    if (!["error", "warning"].includes(message.type()) || REFUSED.test(message.text())) return;
    complaints.push(`console: ${message.text()}`);
  });
  const answer = await page.goto(`${origin}/docs/`);
  assert.doesNotMatch(answer.headers()["content-security-policy"], /unsafe|\*|https?:/);
  await operation(page, "signup").waitFor();
  return { page, context, complaints };
}

export const operation = (page, id) => page.locator(`.opblock[id$="-${id}"]`);

/** Unfolds an operation, presses "Execute", and answers what the page shows. `edit` changes the body's members. */
export async function execute(page, id, edit) {
  const block = operation(page, id);
  if (!(await block.evaluate((element) => element.classList.contains("is-open")))) {
    await block.locator(".opblock-summary-control").click();
  }
  if (edit) {
    const text = block.locator("textarea").first();
    await text.fill(JSON.stringify({ ...JSON.parse(await text.inputValue()), ...edit }, null, 2));
  }
  const called = page.waitForResponse((response) => response.url().includes("/api/v1/auth/"));
  await block.locator("button.execute").click();
  const sent = await called;
  const shown = block.locator(".live-responses-table tbody tr.response").first();
  const status = shown.locator(".response-col_status", { hasText: String(sent.status()) });
  await status.waitFor();
  const requestId = (await sent.allHeaders())["x-request-id"];
  // Earlier answers look alike: what is shown must be this one.
  await shown.filter({ hasText: requestId }).waitFor();
  const text = await shown.locator(".highlight-code pre").first().textContent();
  return { status: sent.status(), body: JSON.parse(text) };
}

/** Puts credentials behind "Authorize" by hand; those that are there are logged out first. */
export async function authorise(page, credentials) {
  await page.locator(".auth-wrapper > button.authorize").click();
  for (const [name, value] of Object.entries(credentials)) {
    const box = page.locator(".auth-container", { hasText: name === "bearer" ? "bearer" : `${name}\u00a0` }).first();
    const logout = box.getByRole("button", { name: "Logout" });
    if (await logout.count()) await logout.click();
    await box.locator("input").fill(value);
    await box.getByRole("button", { name: "Authorize" }).click();
  }
  await page.locator(".modal-ux .btn-done").first().click();
}

export const stored = (page) =>
  page.evaluate(() =>
    Object.fromEntries(
      Object.entries(JSON.parse(localStorage.getItem("authorized") ?? "{}")).map(([name, { value }]) => [name, value]),
    ),
  );
