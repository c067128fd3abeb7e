mod claims;
mod signup;
mod username_keys;
