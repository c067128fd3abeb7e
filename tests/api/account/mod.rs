mod claims;
mod signup;
