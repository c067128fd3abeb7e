import assert from "node:assert/strict";

import { client } from "./documines-auth/client.gen";
import {
  getProfile,
  login,
  refreshToken,
  requestPasswordReset,
  resetPassword,
  signup,
  updateProfile,
} from "./documines-auth/index";

const email = "john_doe@aidocumines.com";
const credentials: { bearer?: string; clientId?: string; clientSecret?: string } = {};

client.setConfig({
  baseUrl: `${process.argv[2]}/api/v1/auth`,
  throwOnError: true,
  auth: (scheme) => {
    if (scheme.type === "http") return credentials.bearer;
    return scheme.name === "X-Client-ID" ? credentials.clientId : credentials.clientSecret;
  },
});

const { data: signedUp } = await signup({
  throwOnError: true,
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
});
assert.equal(signedUp.message, "User registered successfully");
assert.equal(signedUp["2fa_enabled"], false);
assert.equal(signedUp.last_login, null);
assert.equal(signedUp.user_preferences["theme"], "light");
credentials.clientId = signedUp.client_id;
credentials.clientSecret = signedUp.client_secret;

const { data: first } = await login({ throwOnError: true, body: { email, password: "SecurePass#456" } });
credentials.bearer = first.access_token;

const { data: profile } = await getProfile({ throwOnError: true });
assert.equal(profile.address, "456 Doe Street, Cape Town");

const { data: updated } = await updateProfile({
  throwOnError: true,
  body: { contact_name: "John Updated", contact_phone: "+27 444 555 777", address: "789 Updated Street, Cape Town" },
});
assert.equal(updated.message, "Profile updated successfully");
assert.equal((await getProfile({ throwOnError: true })).data.contact_name, "John Updated");

const { data: requested } = await requestPasswordReset({ throwOnError: true, body: { email } });
assert(requested.reset_token !== undefined);
const { data: reset } = await resetPassword({
  throwOnError: true,
  body: { token: requested.reset_token, new_password: "NewSecurePass#789" },
});
assert.equal(reset.message, "Password reset successful");

const refused = await getProfile({ throwOnError: false });
assert.equal(refused.response?.status, 401);
assert.equal(refused.error?.code, "invalid_token");

const { data: second } = await login({ throwOnError: true, body: { email, password: "NewSecurePass#789" } });
const { data: third } = await refreshToken({ throwOnError: true, body: { refresh_token: second.refresh_token } });
assert.notEqual(third.access_token, second.access_token);
credentials.bearer = third.access_token;
assert.equal((await getProfile({ throwOnError: true })).data.email, email);
