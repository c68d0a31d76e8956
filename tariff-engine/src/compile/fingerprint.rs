//! A hash of what a stored state depends on.
//!
//! Prices are not part of it: a corrected price may continue a stored state. Names, tiers, limits and dates are.

use super::Shared;
use super::compiled::{CompiledVersion, LadderKind};
use crate::tariff::Scope;

/// FNV-1a, 64 bits.
struct Hash(u64);

impl Hash {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(Self::PRIME);
        }
    }

    fn number(&mut self, number: i64) {
        self.bytes(&number.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.number(i64::try_from(count).unwrap_or(i64::MAX));
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
    }
}

/// The hash of a version and all before it.
pub(super) fn chained(before: Option<u64>, version: &CompiledVersion, shared: &Shared<'_>) -> u64 {
    let mut hash = Hash(before.unwrap_or(Hash::OFFSET));
    if before.is_none() {
        hash.text(&shared.tariff.zone);
        for part in [shared.billing.start_day, shared.billing.months] {
            hash.number(i64::from(part));
        }
    }
    hash.number(version.from_day);
    for number in &version.energy.rates {
        hash.text(shared.rate_names.get(usize::from(*number)).map_or("", |name| name.as_str()));
    }
    let scope = |scope: Scope| match scope {
        Scope::SharedChronological => 1,
        Scope::SharedProportional => 2,
        Scope::PerPeriod => 3,
    };
    let ladder = &version.energy.ladder;
    hash.number(match ladder.kind {
        LadderKind::None => 0,
        LadderKind::Streamed(kind) => scope(kind),
        LadderKind::Deferred(kind) => scope(kind).saturating_add(10),
    });
    for part in [ladder.cycle.start_month, ladder.cycle.start_day, ladder.cycle.months] {
        hash.number(i64::from(part));
    }
    ladder.set_of_month.iter().for_each(|set| hash.number(i64::from(*set)));
    for limit in ladder.sets.iter().flatten() {
        for part in [limit.fixed, limit.per_day, limit.per_kw] {
            hash.number(part.unwrap_or(-1));
        }
    }
    for (name, shifts) in &ladder.allowances {
        hash.text(shared.allowances.get(usize::from(*name)).map_or("", |name| name.as_str()));
        shifts.iter().for_each(|shift| hash.number(*shift));
    }
    hash.number(version.window_s.unwrap_or(0));
    for charge in &version.demand {
        hash.text(shared.demand_names.get(usize::from(charge.name)).map_or("", |name| name.as_str()));
        for rate in &charge.rates {
            hash.text(shared.registers.get(usize::from(rate.register)).map_or("", |register| register.rate.as_str()));
        }
    }
    hash.0
}
