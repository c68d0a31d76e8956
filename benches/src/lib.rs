//! What the benchmarks in `benches/` share: what is measured, and how samples are taken.

pub mod books;
pub mod frames;
pub mod links;
pub mod years;

use core::time::Duration;
use criterion::Criterion;

/// Samples of each benchmark; the report takes the fastest.
const SAMPLES: usize = 40;

/// Criterion as all benchmarks here use it. Short, because the smallest sample counts and not the mean.
#[must_use]
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(SAMPLES)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args()
}

/// Whether the benchmarks are only tried (`-- --test`), so that large worlds may be small.
#[must_use]
pub fn is_trial() -> bool {
    std::env::args().any(|argument| argument == "--test")
}
