//! The state of an account, and what can be read from it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::apply_error::ApplyError;
use super::command::Command;
use super::draft::Decision;
use super::effect::Effect;
use super::event::Event;
use super::meter_state::{Marks, MeterState};
use super::opening::OpenMode;
use super::receipts::Receipts;
use super::refusal::Refusal;
use super::replacing::OnBench;
use super::terms::{MeterTerms, Purse, Terms};
use crate::bend;
use crate::bend::Bend;
use crate::debt::{DebtKind, Debts};
use crate::id::{AccountId, DebtId, MeterNumber, RefundId, SaleId};
use crate::money::Money;
use crate::persist::Withheld;
use crate::refund::{OpenRefund, RefundPhase};
use crate::relay::Standing;
use crate::sale::Phase;
use crate::settlement::Pricer;
use crate::status::{Credit, DisplayState, Service, Status, Supply};
use crate::time::Now;

/// An account: the fold of its events. As a stored snapshot it is checked when it comes back: see [`super::SnapshotError`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
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
