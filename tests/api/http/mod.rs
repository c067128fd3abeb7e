mod access;
mod bodies;
mod cors;
mod errors;
mod fuzz;
mod headers;
mod pages;
mod routes;
