//! The state of an account, and what can be read from it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::command::OpenMode;
use super::draft::Decision;
use super::event::{Event, QuarantineReason};
use super::receipts::Receipts;
use super::refusal::{ApplyError, Refusal};
use super::replacing::{Carry, OnBench};
use super::terms::{MeterTerms, Purse, Terms};
use super::{Command, Effect};
use crate::bend::{self, Bend};
use crate::debt::{DebtKind, Debts};
use crate::finding::FindingKind;
use crate::id::{AccountId, DebtId, MeterNumber, RefundId, SaleId};
use crate::money::Money;
use crate::persist::Withheld;
use crate::refund::{OpenRefund, RefundPhase};
use crate::relay::{Cause, Order, Standing, StandingOrder};
use crate::sale::{Evidence, OpenSale, Phase};
use crate::series::Series;
use crate::settlement::{Pricer, PricerState};
use crate::status::{Credit, DisplayState, Link, Load, Service, Status, Supply, Trust};
use crate::time::Now;

/// An account: the fold of its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub(super) id: AccountId,
    pub(super) seq: u64,
    pub(super) service: Service,
    pub(super) terms: Option<Terms>,
    pub(super) purse: Money,
    pub(super) held: Money,
    pub(super) credit: Credit,
    pub(super) latest_sale: Option<SaleId>,
    #[serde(default)]
    pub(super) latest_refund: Option<RefundId>,
    #[serde(default)]
    pub(super) receipts: Receipts,
    #[serde(default)]
    pub(super) latest_debt: Option<DebtId>,
    #[serde(default)]
    pub(super) debts: Debts,
    #[serde(default)]
    pub(super) deposit: Money,
    #[serde(default)]
    pub(super) free_period: Option<u32>,
    #[serde(default)]
    pub(super) emergency: Option<Money>,
    #[serde(default)]
    pub(super) prepared: Option<Prepared>,
    #[serde(default)]
    pub(super) on_bench: Vec<OnBench>,
    pub(super) meters: Vec<MeterState>,
    #[cfg(feature = "sim")]
    #[serde(skip)]
    pub(crate) bend: Option<Bend>,
}

/// What was entered before the account was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// The terms.
    pub terms: Terms,
    /// Its meters.
    pub meters: Vec<MeterTerms>,
    /// How they begin.
    pub mode: OpenMode,
}

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

/// A quarantine that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// What was seen.
    pub reason: QuarantineReason,
    /// What the meter showed.
    pub shown: Evidence,
    /// Since when, UTC seconds.
    pub since_utc_s: i64,
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

impl Account {
    /// The most meters of one account.
    pub const MAX_METERS: usize = 64;

    /// An account of which nothing is known but its number.
    #[must_use]
    pub const fn new(id: AccountId) -> Self {
        Self {
            id,
            seq: 0,
            service: Service::NotOpened,
            terms: None,
            purse: Money::ZERO,
            held: Money::ZERO,
            credit: Credit::Normal,
            latest_sale: None,
            latest_refund: None,
            receipts: Receipts(Vec::new()),
            latest_debt: None,
            debts: Debts::NONE,
            deposit: Money::ZERO,
            free_period: None,
            emergency: None,
            prepared: None,
            on_bench: Vec::new(),
            meters: Vec::new(),
            #[cfg(feature = "sim")]
            bend: None,
        }
    }

    /// Folds stored events, as after a restart. Waits that were under way start again in full; ask
    /// [`Account::resume`] what to do next.
    ///
    /// # Errors
    /// [`ApplyError`] names the first event that does not fit.
    pub fn rebuild<'a>(id: AccountId, events: impl IntoIterator<Item = &'a Event>) -> Result<Self, ApplyError> {
        Self::rebuild_from(Self::new(id), events)
    }

    /// Folds the events that were stored after a snapshot of the state, as after a restart.
    ///
    /// # Errors
    /// [`ApplyError`] names the first event that does not fit.
    pub fn rebuild_from<'a>(
        mut snapshot: Self,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<Self, ApplyError> {
        for event in events {
            snapshot.apply(event)?;
        }
        snapshot.restarted();
        Ok(snapshot)
    }

    /// Forgets monotonic times, which mean nothing after a restart: [`Account::rebuild`] does so, and a caller that folds
    /// a long history in pieces with [`Account::apply`] has to.
    pub fn restarted(&mut self) {
        for meter in &mut self.meters {
            meter.marks = Marks::default();
        }
    }

    /// Judges a command: events and sealed effects, or a refusal. Changes nothing.
    ///
    /// # Errors
    /// [`Refusal`] with the reason, the values and the limit.
    pub fn decide(&self, command: &Command, now: Now, pricer: &dyn Pricer) -> Result<Decision, Refusal> {
        super::decide::decide(self, command, now, pricer)
    }

    /// Takes a stored event into the state.
    ///
    /// # Errors
    /// [`ApplyError`] when the event is not the next one or does not fit; the state is then as it was.
    pub fn apply(&mut self, event: &Event) -> Result<(), ApplyError> {
        super::apply::apply(self, event)
    }

    /// What there is to do after a restart, for everything that is open. Never a purchase frame: what was under way is
    /// read back first.
    pub fn resume(&self, now: Now) -> Withheld<Vec<Effect>> {
        Withheld::new(super::sales::resume(self, now), self.id, self.seq)
    }

    /// Its number.
    #[must_use]
    pub const fn id(&self) -> AccountId {
        self.id
    }

    /// The number of its last event; 0 before the first.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// Where it is in its life.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.service
    }

    /// The terms, once opened.
    #[must_use]
    pub const fn terms(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    /// Money of the customer at the station, minor units: the ledger's customer purse, holds included. With the purse
    /// at the station this is the credit; negative when overdrawn. With purses in the meters it is money on its way.
    #[must_use]
    pub const fn purse(&self) -> Money {
        self.purse
    }

    /// What of [`Account::purse`] is set aside for sales that are not closed, minor units.
    #[must_use]
    pub const fn held(&self) -> Money {
        self.held
    }

    /// Its meters.
    #[must_use]
    pub fn meters(&self) -> &[MeterState] {
        &self.meters
    }

    /// One of its meters.
    #[must_use]
    pub fn meter(&self, meter: MeterNumber) -> Option<&MeterState> {
        self.meters.iter().find(|state| state.terms.meter == meter)
    }

    /// The meter on which a sale is open.
    #[must_use]
    pub fn meter_of_sale(&self, sale: SaleId) -> Option<&MeterState> {
        self.meters.iter().find(|state| state.sale.as_ref().is_some_and(|open| open.id == sale))
    }

    /// Whether a relay order is still the newest one and not confirmed: asked right before it is written.
    #[must_use]
    pub fn may_write(&self, meter: MeterNumber, version: u32) -> bool {
        let newest = |state: &MeterState| state.order.version == version && !state.order.confirmed;
        self.meter(meter).is_some_and(|state| newest(state) || bend::is(self, Bend::SupersededIsWritten))
    }

    /// Whether a purchase frame is still the one to be sent: asked right before its first byte leaves.
    #[must_use]
    pub fn may_send(&self, sale: SaleId, frame: u8) -> bool {
        let open = self.meter_of_sale(sale).and_then(MeterState::sale);
        open.is_some_and(|open| open.phase == Phase::Sending && open.frames == frame)
    }

    /// Whether an overwrite is still the one to be sent: asked right before its first byte leaves.
    #[must_use]
    pub fn may_overwrite(&self, refund: RefundId, frame: u8) -> bool {
        let open = self.meters.iter().filter_map(MeterState::refund).find(|open| open.id == refund);
        open.is_some_and(|open| open.phase == RefundPhase::Writing && open.frames == frame)
    }

    /// What the customer owes at the station.
    #[must_use]
    pub const fn debts(&self) -> &Debts {
        &self.debts
    }

    /// The deposit that is held, minor units.
    #[must_use]
    pub const fn deposit(&self) -> Money {
        self.deposit
    }

    /// Emergency credit was taken and is not paid back.
    #[must_use]
    pub fn emergency_taken(&self) -> bool {
        self.emergency.is_some() || self.debts.as_slice().iter().any(|debt| debt.kind == DebtKind::Emergency)
    }

    /// Replaced meters that could not be read and wait for the bench.
    #[must_use]
    pub fn on_bench(&self) -> &[OnBench] {
        &self.on_bench
    }

    /// What was entered before the account was opened.
    #[must_use]
    pub const fn prepared(&self) -> Option<&Prepared> {
        self.prepared.as_ref()
    }

    /// What customers paid that can still be given back through its channel.
    #[must_use]
    pub const fn receipts(&self) -> &Receipts {
        &self.receipts
    }

    /// All axes of one meter.
    #[must_use]
    pub fn status(&self, meter: MeterNumber) -> Option<Status> {
        self.meter(meter).map(|state| Status {
            service: self.service,
            credit: self.credit_of(state),
            load: state.load,
            link: state.link,
            trust: state.trust(),
            supply: Supply { closed: state.relay_closed, cause: state.order.decided.cause },
        })
    }

    /// What operators see of one meter.
    #[must_use]
    pub fn display_state(&self, meter: MeterNumber) -> Option<DisplayState> {
        self.status(meter).map(|status| status.display_state())
    }

    pub(crate) fn credit_of(&self, meter: &MeterState) -> Credit {
        match self.terms.map(|terms| terms.purse) {
            Some(Purse::InMeter) => meter.credit,
            Some(Purse::AtStation) | None => self.credit,
        }
    }

    pub(super) fn standing(&self, meter: &MeterState) -> Standing {
        Standing {
            lock_out: meter.lock_out.is_some(),
            keep_power: meter.keep_power.is_some(),
            // The station's own order while it takes credit out of the meter stands like an operator's.
            forced_off: meter.forced_off.is_some()
                || (meter.quarantine.is_none() && meter.refund.as_ref().is_some_and(OpenRefund::holds_off))
                || (self.latest_refund.is_some() && bend::is(self, Bend::RefundNotRestored)),
            load_limit: meter.shed,
            friendly_hours: meter.friendly,
            arrears: self.credit_of(meter) == Credit::Arrears
                || meter.restore_awaited
                || (meter.exposed && self.terms.is_some_and(|terms| terms.lost_contact.cut)),
            never_cut: meter.terms.never_cut,
        }
    }
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
