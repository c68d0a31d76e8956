//! The reference collector-and-vending service.

#[allow(
    dead_code,
    unused_imports,
    reason = "the demonstration that starts the fleet is not wired yet; the tests use all of it"
)]
mod fleet;

fn main() {}
