import assert from "node:assert/strict";

import createClient from "openapi-fetch";

import type { paths } from "./documines-auth";

const api = createClient<paths>({ baseUrl: `${process.argv[2]}/api/v1/auth` });
const email = "john_doe@aidocumines.com";

/** The answer of a call that has to succeed. */
function answer<T>(call: { data?: T; error?: unknown }): T {
  assert.equal(call.error, undefined);
  assert(call.data !== undefined);
  return call.data;
}

const signedUp = answer(
  await api.POST("/signup/", {
    body: {
      username: "john_doe",
      email,
      password: "SecurePass#456",
      organisation: "AI DocuMines User",
      contact_name: "John Doe",
      contact_phone: "+27 444 555 666",
      contact_email: email,
      address: "456 Doe Street, Cape Town",
      industry: "AI Research",
      use_case: "Testing user management and admin privileges.",
    },
  }),
);
assert.equal(signedUp.message, "User registered successfully");
assert.equal(signedUp["2fa_enabled"], false);
assert.equal(signedUp.last_login, null);
assert.equal(signedUp.user_preferences["theme"], "light");

const named = { "X-Client-ID": signedUp.client_id };
const client = { ...named, "X-Client-Secret": signedUp.client_secret };

const first = answer(await api.POST("/login/", { headers: client, body: { email, password: "SecurePass#456" } }));
const caller = { ...client, Authorization: `Bearer ${first.access_token}` };

const profile = answer(await api.GET("/profile/", { headers: caller }));
assert.equal(profile.address, "456 Doe Street, Cape Town");

const updated = answer(
  await api.PUT("/profile/update/", {
    headers: caller,
    body: { contact_name: "John Updated", contact_phone: "+27 444 555 777", address: "789 Updated Street, Cape Town" },
  }),
);
assert.equal(updated.message, "Profile updated successfully");
assert.equal(answer(await api.GET("/profile/", { headers: caller })).contact_name, "John Updated");

const requested = answer(await api.POST("/password/reset/request/", { headers: named, body: { email } }));
assert(requested.reset_token !== undefined);
const reset = await api.POST("/password/reset/", {
  headers: named,
  body: { token: requested.reset_token, new_password: "NewSecurePass#789" },
});
assert.equal(answer(reset).message, "Password reset successful");

const refused = await api.GET("/profile/", { headers: caller });
assert.equal(refused.response.status, 401);
assert.equal(refused.error?.code, "invalid_token");

const second = answer(await api.POST("/login/", { headers: client, body: { email, password: "NewSecurePass#789" } }));
const third = answer(
  await api.POST("/refresh-token/", { headers: client, body: { refresh_token: second.refresh_token } }),
);
assert.notEqual(third.access_token, second.access_token);
const renewed = { ...client, Authorization: `Bearer ${third.access_token}` };
assert.equal(answer(await api.GET("/profile/", { headers: renewed })).email, email);
