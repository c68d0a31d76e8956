//! The state of one meter of an account, and what can be read from it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::opening::MeterOpening;
use super::quarantine::Quarantine;
use super::replacing::Carry;
use super::terms::MeterTerms;
use crate::finding::FindingKind;
use crate::id::{MeterNumber, SaleId};
use crate::money::Money;
use crate::refund::OpenRefund;
use crate::relay::{Cause, Order, StandingOrder};
use crate::sale::{Evidence, OpenSale};
use crate::series::{Point, Series, Source};
use crate::settlement::PricerState;
use crate::status::{Credit, Link, Load, Trust};

/// One meter of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterState {
    pub(super) terms: MeterTerms,
    pub(super) opened: Evidence,
    pub(super) settled: Evidence,
    pub(super) purse: Money,
    pub(super) count: u16,
    pub(super) posted_writes: u64,
    pub(super) foreign_writes: u64,
    pub(super) charged: Money,
    pub(super) taxed: Money,
    pub(super) accrued: Money,
    pub(super) pricer: PricerState,
    pub(super) series: Series,
    pub(super) drift: DriftCount,
    pub(super) drifting: bool,
    pub(super) credit: Credit,
    pub(super) link: Link,
    pub(super) load: Load,
    pub(super) relay_closed: Option<bool>,
    pub(super) cut: bool,
    pub(super) quarantine: Option<Quarantine>,
    pub(super) sale: Option<OpenSale>,
    #[serde(default)]
    pub(super) refund: Option<OpenRefund>,
    #[serde(default)]
    pub(super) last_sale: Option<LastSale>,
    /// Planned friendly hours, UTC seconds.
    #[serde(default)]
    pub(super) friendly_plan: Option<(i64, i64)>,
    /// The hours after those that last.
    #[serde(default)]
    pub(super) friendly_next: Option<(i64, i64)>,
    /// Cut for lack of credit and waiting for somebody.
    #[serde(default)]
    pub(super) restore_awaited: bool,
    /// Not heard since, UTC seconds.
    #[serde(default)]
    pub(super) unheard_since_utc_s: Option<i64>,
    /// The bound of what may be used unseen is passed.
    #[serde(default)]
    pub(super) exposed: bool,
    /// A new meter is taking its place.
    #[serde(default)]
    pub(super) replaced_by: Option<MeterNumber>,
    /// It is taking the place of another one: how money moves, and the count that it gets.
    #[serde(default)]
    pub(super) carry: Option<Box<Carry>>,
    #[serde(default)]
    pub(super) carried_count: u16,
    /// Energy of earlier meters at this place, 0.01 kWh.
    #[serde(default)]
    pub(super) carried_centi_kwh: u64,
    /// The balance was overwritten since the last booking.
    #[serde(default)]
    pub(super) overwritten: bool,
    pub(super) keep_power: Option<StandingOrder>,
    pub(super) forced_off: Option<StandingOrder>,
    pub(super) lock_out: Option<StandingOrder>,
    pub(super) shed: bool,
    pub(super) friendly: bool,
    pub(super) order: Order,
    pub(super) order_written: bool,
    pub(super) suspicions: Vec<Suspicion>,
    /// Monotonic marks of this run of the process. Never stored and cleared by a rebuild, so that a wait that was
    /// under way when the process died starts again in full.
    #[serde(skip)]
    pub(super) marks: Marks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    pub(super) latest_reading_ms: Option<u64>,
    pub(super) fence_closed_ms: Option<u64>,
}

/// Settlements in which the meter and the tariff differed by more than rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DriftCount {
    /// How many.
    pub settlements: u64,
    /// The sum of their differences (meter less tariff), minor units.
    pub sum: Money,
    /// The sum of the differences within rounding (meter less tariff), minor units.
    #[serde(default)]
    pub rounding: Money,
}

/// The last sale that a meter has taken: the only one that can still be reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSale {
    /// The sale.
    pub sale: SaleId,
    /// What the meter was credited with, minor units.
    pub amount: Money,
}

/// A disagreement that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicion {
    /// What kind.
    pub kind: FindingKind,
    /// Since when, UTC seconds.
    pub since_utc_s: i64,
    /// It has lasted and was reported.
    pub raised: bool,
}

impl MeterState {
    /// What is known about it.
    #[must_use]
    pub const fn terms(&self) -> &MeterTerms {
        &self.terms
    }

    /// Its number.
    #[must_use]
    pub const fn number(&self) -> MeterNumber {
        self.terms.meter
    }

    /// What it showed when the account was opened.
    #[must_use]
    pub const fn opened(&self) -> &Evidence {
        &self.opened
    }

    /// What it showed at the last booking.
    #[must_use]
    pub const fn settled(&self) -> &Evidence {
        &self.settled
    }

    /// The ledger's meter purse, without holds, minor units; 0 with the purse at the station.
    #[must_use]
    pub const fn purse(&self) -> Money {
        self.purse
    }

    /// The purchase count that the books expect.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// Writes of ours that advanced the count since the opening.
    #[must_use]
    pub const fn posted_writes(&self) -> u64 {
        self.posted_writes
    }

    /// Writes of others since the opening, released from quarantine.
    #[must_use]
    pub const fn foreign_writes(&self) -> u64 {
        self.foreign_writes
    }

    /// The tariff's charges booked since the opening, tax included, minor units.
    #[must_use]
    pub const fn charged(&self) -> Money {
        self.charged
    }

    /// Where pricing stands.
    #[must_use]
    pub const fn pricer_state(&self) -> &PricerState {
        &self.pricer
    }

    /// The readings that can still be corrected.
    #[must_use]
    pub const fn series(&self) -> &Series {
        &self.series
    }

    /// Settlements in which meter and tariff differed by more than rounding.
    #[must_use]
    pub const fn drift(&self) -> DriftCount {
        self.drift
    }

    /// The open sale.
    #[must_use]
    pub const fn sale(&self) -> Option<&OpenSale> {
        self.sale.as_ref()
    }

    /// The open refund or reversal.
    #[must_use]
    pub const fn refund(&self) -> Option<&OpenRefund> {
        self.refund.as_ref()
    }

    /// The meter that is taking its place.
    #[must_use]
    pub const fn replaced_by(&self) -> Option<MeterNumber> {
        self.replaced_by
    }

    /// The last sale that it has taken, unless that is reversed.
    #[must_use]
    pub const fn last_sale(&self) -> Option<LastSale> {
        self.last_sale
    }

    /// The quarantine that stands.
    #[must_use]
    pub const fn quarantine(&self) -> Option<&Quarantine> {
        self.quarantine.as_ref()
    }

    /// The relay order.
    #[must_use]
    pub const fn order(&self) -> &Order {
        &self.order
    }

    /// The current relay order was written at least once.
    #[must_use]
    pub const fn order_written(&self) -> bool {
        self.order_written
    }

    /// The operator's order to keep power, if it stands.
    #[must_use]
    pub const fn keep_power(&self) -> Option<&StandingOrder> {
        self.keep_power.as_ref()
    }

    /// The operator's order to force off, if it stands.
    #[must_use]
    pub const fn forced_off(&self) -> Option<&StandingOrder> {
        self.forced_off.as_ref()
    }

    /// The lock-out, if it stands.
    #[must_use]
    pub const fn lock_out(&self) -> Option<&StandingOrder> {
        self.lock_out.as_ref()
    }

    /// The supply is known to be cut for lack of credit.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether the relay passes current, as last reported.
    #[must_use]
    pub const fn relay_closed(&self) -> Option<bool> {
        self.relay_closed
    }

    /// Whether the meter is heard.
    #[must_use]
    pub const fn link(&self) -> Link {
        self.link
    }

    /// Disagreements that are watched or were reported.
    #[must_use]
    pub fn suspicions(&self) -> &[Suspicion] {
        &self.suspicions
    }

    /// Whether it shows what the books expect.
    #[must_use]
    pub const fn trust(&self) -> Trust {
        match (&self.quarantine, self.drifting) {
            (Some(_), _) => Trust::Quarantined,
            (None, true) => Trust::Drifting,
            (None, false) => Trust::Trusted,
        }
    }

    /// The rule that decides on its relay.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        self.order.decided.cause
    }
}

pub(super) fn opened_meter(opening: &MeterOpening, in_meter: bool) -> MeterState {
    let shown = opening.shown;
    MeterState {
        terms: opening.terms,
        opened: shown,
        settled: shown,
        purse: if in_meter { shown.balance } else { Money::ZERO },
        count: shown.purchase_count,
        posted_writes: 0,
        foreign_writes: 0,
        charged: Money::ZERO,
        taxed: Money::ZERO,
        accrued: Money::ZERO,
        pricer: PricerState::default(),
        series: Series::new(point(&shown, Source::Measured, opening.terms.ratio), PricerState::default()),
        drift: DriftCount::default(),
        drifting: false,
        credit: Credit::Normal,
        link: Link::Fresh,
        load: Load::Normal,
        relay_closed: Some(opening.relay_closed),
        cut: false,
        quarantine: None,
        sale: None,
        refund: None,
        last_sale: None,
        friendly_plan: None,
        friendly_next: None,
        restore_awaited: false,
        unheard_since_utc_s: None,
        exposed: false,
        replaced_by: None,
        carry: None,
        carried_count: 0,
        carried_centi_kwh: 0,
        overwritten: false,
        keep_power: None,
        forced_off: None,
        lock_out: None,
        shed: false,
        friendly: false,
        order: Order::INITIAL,
        order_written: false,
        suspicions: Vec::new(),
        marks: Marks { latest_reading_ms: Some(shown.taken.mono_ms), fence_closed_ms: None },
    }
}

/// A reading as a series keeps it.
pub(super) const fn point(shown: &Evidence, source: Source, ratio: u32) -> Point {
    Point { energy: shown.energy, taken_utc_s: shown.taken.utc_s, source, ratio }
}
