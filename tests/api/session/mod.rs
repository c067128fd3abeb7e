mod login;
mod other_process;
mod refresh;
