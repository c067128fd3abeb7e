mod new_client;
mod request_reset;
mod reset;
