//! Shared inputs of the benchmarks in `benches/`.
