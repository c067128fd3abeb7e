# Builds target/debug/documines-auth as the tests of the workspace are built: `cargo build` would compile half of the
# tree a second time, for the features that only the tests ask for. Sourced from the top of the checkout.
# shellcheck shell=bash

cargo test --workspace --locked --quiet --no-run --test process
