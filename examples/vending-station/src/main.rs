//! The reference collector-and-vending service.

fn main() {}
