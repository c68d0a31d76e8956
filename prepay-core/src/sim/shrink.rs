//! A shorter story of the same failure.

use alloc::string::String;
use alloc::vec::Vec;

use super::cell::Cell;
use super::{Config, Property, Report, VENDS_A_CELL, replay_vends};

/// The shortest failing story that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrunk {
    /// The cell.
    pub cell: u64,
    /// How many of its vends are enough.
    pub vends: u64,
    /// What broke first in it.
    pub broken: Vec<Property>,
    /// A line for each thing that happened.
    pub story: Vec<String>,
}

/// Looks for the shortest story in which the same properties break first as in the first failing cell of the run: over
/// all cells of the run, and for each over its first vends. `None` when nothing fails.
#[must_use]
pub fn shrink(config: &Config) -> Option<Shrunk> {
    let cells = config.vends.div_ceil(VENDS_A_CELL);
    let mut best: Option<Shrunk> = None;
    for cell in 0..cells {
        let longest = config.vends.saturating_sub(cell * VENDS_A_CELL).min(VENDS_A_CELL);
        // Fewer vends than the best so far, or as many with fewer lines.
        let most = best.as_ref().map_or(longest, |best| best.vends.min(longest));
        let wanted = best.as_ref().map(|best| best.broken.clone());
        let Some((vends, broken)) = (1..=most).find_map(|vends| fails(config, cell, vends, wanted.as_deref())) else {
            continue;
        };
        let (_, story) = replay_vends(config, cell, vends);
        let shorter = |best: &Shrunk| (vends, story.len()) < (best.vends, best.story.len());
        if best.as_ref().is_none_or(shorter) {
            best = Some(Shrunk { cell, vends, broken, story });
        }
    }
    best
}

fn fails(config: &Config, cell: u64, vends: u64, wanted: Option<&[Property]>) -> Option<(u64, Vec<Property>)> {
    let mut report = Report::default();
    Cell::new(config, cell).run(vends, &mut report);
    let broken = report.broken();
    let same = !broken.is_empty() && wanted.is_none_or(|wanted| wanted == broken);
    same.then_some((vends, broken))
}
