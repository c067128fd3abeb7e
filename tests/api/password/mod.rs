mod request_reset;
mod reset;
