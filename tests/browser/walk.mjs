// The documentation as people meet it: in a browser, by clicking, by day and by night, on a desk and on a phone.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { startBehindAPath, startServer } from "./server.mjs";
import { authorise, execute, openPage, operation, stored } from "./swagger.mjs";

const [binary, artefacts] = process.argv.slice(2).map((path) => resolve(path));

/** What axe-core finds in Swagger UI's own, and why it stays. */
const SWAGGER_UI = {
  "nested-interactive": "an operation's path is a link inside the button that unfolds it; both do the same",
  "scrollable-region-focusable": "browsers let the keyboard into what scrolls by themselves",
};

const DESK = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

/** `scope` keeps what is read small: each of a hundred examples looks like the next. */
async function readable(page, scope) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(
    ([root]) => axe.run(root, { preload: false, rules: { "target-size": { enabled: true } } }),
    [scope],
  );
  const serious = found.violations.filter(({ impact, id }) => ["serious", "critical"].includes(impact) && !SWAGGER_UI[id]);
  const lines = serious.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} ${target} ${failureSummary}`));
  assert.deepEqual(lines, []);
  const { wide, width } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    width: document.documentElement.clientWidth,
  }));
  assert.ok(wide <= width, `the page is ${wide} wide on a screen of ${width}`);
}

async function walk({ page }) {
  const screenshot = (name) => page.screenshot({ path: join(artefacts, `${name}.png`) });
  const done = () => page.locator(".welcome li.done strong").allTextContents();
  assert.deepEqual(await done(), []);

  // The newcomer's way in: the greeting's link unfolds the operation.
  await page.locator(".welcome").getByRole("link", { name: "signup" }).click();
  await operation(page, "signup").locator("button.execute").waitFor();
  const email = "walker@example.com";
  const account = await execute(page, "signup", { username: "walker", email });
  assert.equal(account.status, 201);
  assert.equal(Object.keys(account.body).length, 23);
  const { client_id: clientId, client_secret: clientSecret } = account.body;
  assert.deepEqual(await stored(page), { clientId, clientSecret });
  assert.deepEqual(await done(), ["Sign up", "Authorise"]);

  const login = await execute(page, "login");
  assert.equal(login.status, 200);
  assert.deepEqual(await stored(page), { clientId, clientSecret, bearer: login.body.access_token });

  const profile = await execute(page, "getProfile");
  assert.deepEqual([profile.status, profile.body.email], [200, email]);
  assert.equal((await done()).length, 4);
  await screenshot("desk-light-answer");

  assert.equal((await execute(page, "getProfile")).status, 200);
  const updated = await execute(page, "updateProfile", { contact_name: "Walker Updated" });
  assert.deepEqual(updated.body, { message: "Profile updated successfully" });
  assert.equal((await execute(page, "getProfile")).body.contact_name, "Walker Updated");

  const requested = await execute(page, "requestPasswordReset");
  assert.equal(requested.status, 200);
  const reset = await execute(page, "resetPassword");
  assert.deepEqual(reset.body, { message: "Password reset successful" });
  // The session has ended, and its token is gone from behind "Authorize".
  assert.deepEqual(await stored(page), { clientId, clientSecret });
  assert.equal((await execute(page, "getProfile")).status, 401);

  const anew = await execute(page, "login");
  assert.equal(anew.status, 200);
  // Twice: the second must find the refresh token that the first one gave.
  const first = await execute(page, "refreshToken");
  const second = await execute(page, "refreshToken");
  assert.deepEqual([first.status, second.status], [200, 200]);
  assert.notEqual(first.body.access_token, second.body.access_token);
  const credentials = { clientId, clientSecret, bearer: second.body.access_token };
  assert.deepEqual(await stored(page), credentials);

  await page.reload();
  await operation(page, "getProfile").waitFor();
  assert.equal((await execute(page, "getProfile")).status, 200, "authorised after a reload");
  return credentials;
}

async function byHand({ page }, credentials) {
  await page.getByRole("button", { name: "forget them all" }).click();
  assert.deepEqual(await stored(page), {});
  assert.equal((await execute(page, "getProfile")).status, 401);
  await authorise(page, credentials);
  assert.deepEqual(await stored(page), credentials);
  assert.equal((await execute(page, "getProfile")).status, 200, "authorised by hand");
}

async function byKeyboard({ page }, { clientId }) {
  const focused = () => page.evaluate(() => document.activeElement.closest("[role=dialog]") !== null);
  await page.getByRole("button", { name: "forget them all" }).click();
  const button = page.locator(".auth-wrapper > button.authorize");
  await page.locator("#servers").focus();
  await page.keyboard.press("Tab");
  assert.ok(await button.evaluate((element) => element === document.activeElement), "Authorize is the next stop");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").locator(".modal-ux").waitFor();
  assert.ok(await focused(), "the dialog takes the focus");
  const stops = await page.getByRole("dialog").locator("a[href], button, input").count();
  for (let stop = 0; stop <= stops; stop += 1) {
    await page.keyboard.press("Tab");
    assert.ok(await focused(), "the dialog keeps the focus");
  }
  const field = page.locator(".auth-container", { hasText: "X-Client-ID" }).locator("input");
  for (let stop = 0; stop <= stops && !(await field.evaluate((one) => one === document.activeElement)); stop += 1) {
    await page.keyboard.press("Tab");
  }
  await page.keyboard.type(clientId);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByRole("button", { name: "Logout" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.deepEqual(await stored(page), { clientId });
}

async function look({ page }, name) {
  const screenshot = (what) => page.screenshot({ path: join(artefacts, `${name}${what}.png`) });
  await readable(page, "#ui");
  await screenshot("");
  await page.locator(".auth-wrapper > button.authorize").click();
  await readable(page, "[role=dialog]");
  await screenshot("-authorize");
  await page.keyboard.press("Escape");
  assert.equal((await execute(page, "getProfile")).status, 200);
  await operation(page, "updateProfile").locator(".opblock-summary-control").click();
  await operation(page, "updateProfile").locator("textarea").waitFor();
  await readable(page, ".opblock.is-open");
  await operation(page, "getProfile").locator(".live-responses-table").evaluate((table) => table.scrollIntoView({ block: "center" }));
  await screenshot("-answer");
  await operation(page, "updateProfile").evaluate((block) => block.scrollIntoView());
  await screenshot("-body");
  await page.locator(".welcome summary").click();
  // A browser tells of it a moment after the click, and only then is it kept.
  await page.waitForFunction(() => localStorage.getItem("welcome-folded") === "yes");
  await page.reload();
  await operation(page, "signup").waitFor();
  assert.equal(await page.locator(".welcome").evaluate((details) => details.open), false, "folded, it stays folded");
}

/** The links of the page, and "Execute": both have to stay below the path. */
async function behindAPath({ page }) {
  assert.equal((await execute(page, "signup", { username: "walker", email: "walker@example.com" })).status, 201);
  assert.equal((await execute(page, "login")).status, 200);
  assert.equal((await execute(page, "getProfile")).status, 200);
  const origin = page.url().split("/docs/")[0];
  const links = await page.locator("#ui .info a[href]").evaluateAll((all) => all.map(({ href }) => href));
  const ours = links.filter((link) => link.startsWith(new URL(origin).origin) && !link.includes("#"));
  assert.ok(ours.length > 0);
  for (const link of ours) assert.equal((await page.request.get(link)).status(), 200, link);
}

await mkdir(artefacts, { recursive: true });
const server = await startServer(binary);
const behind = await startBehindAPath(binary);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});
try {
  const step = async (name, options, run, origin = server.origin) => {
    const opened = await openPage(browser, origin, options);
    try {
      const result = await run(opened);
      assert.deepEqual(opened.complaints, []);
      console.log(`ok   ${name}`);
      return { result, storageState: await opened.context.storageState() };
    } catch (error) {
      await opened.page.screenshot({ path: join(artefacts, "failed.png") });
      throw new Error(`${name}; see ${artefacts}/failed.png; ${opened.complaints.join("; ")}`, { cause: error });
    } finally {
      await opened.context.close();
    }
  };
  const { result: credentials, storageState } = await step("the walk", { viewport: DESK }, walk);
  await step("credentials by hand", { viewport: DESK, storageState }, (opened) => byHand(opened, credentials));
  await step("behind a path", { viewport: DESK }, behindAPath, behind.origin);
  await step("the keyboard", { viewport: DESK, storageState }, (opened) => byKeyboard(opened, credentials));
  for (const [device, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
    for (const colorScheme of ["light", "dark"]) {
      const options = { viewport, colorScheme, storageState, hasTouch: device === "phone" };
      await step(`${device}, ${colorScheme}`, options, (opened) => look(opened, `${device}-${colorScheme}`));
    }
  }
} finally {
  await browser.close();
  await server.stop();
  await behind.stop();
}
