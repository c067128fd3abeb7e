mod login;
mod refresh;
