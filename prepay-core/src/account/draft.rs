//! A decision in the making: each fact is applied to a copy at once, so that what follows sees it.

use alloc::vec::Vec;

use super::apply_error::ApplyError;
use super::effect::{Effect, Notice};
use super::event::{Event, Fact};
use super::meter_state::MeterState;
use super::posting::postings;
use super::refusal::Refusal;
use super::state::Account;
use super::terms::Terms;
use crate::id::{AccountId, MeterNumber};
use crate::ledger::Transfer;
use crate::money::MoneyError;
use crate::persist::Withheld;
use crate::status::Service;
use crate::time::Now;

/// What a command does: events to be stored, and effects that wait for that.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a decision does nothing until its events are stored and applied"]
pub struct Decision {
    /// To be stored in one transaction, then applied in this order. Empty when nothing changes.
    pub events: Vec<Event>,
    /// Released by the receipt for the events.
    pub effects: Withheld<Vec<Effect>>,
}

impl Decision {
    /// The ledger transfers of all events, to be booked in the same transaction.
    ///
    /// # Errors
    /// [`MoneyError`] when an amount is out of range.
    pub fn transfers(&self) -> Result<Vec<Transfer>, MoneyError> {
        let mut all = Vec::new();
        for event in &self.events {
            all.extend(postings(event)?);
        }
        Ok(all)
    }
}

/// The account with the facts so far.
pub(super) struct Draft<'a> {
    base: &'a Account,
    changed: Option<Account>,
    pub(super) now: Now,
    /// The meter of this decision had not been heard for a while.
    pub(super) heard_again: bool,
    events: Vec<Event>,
    effects: Vec<Effect>,
}

impl<'a> Draft<'a> {
    pub(super) const fn new(base: &'a Account, now: Now) -> Self {
        Self { base, changed: None, now, heard_again: false, events: Vec::new(), effects: Vec::new() }
    }

    pub(super) fn account(&self) -> &Account {
        self.changed.as_ref().unwrap_or(self.base)
    }

    pub(super) fn id(&self) -> AccountId {
        self.base.id
    }

    pub(super) fn terms(&self) -> Result<&Terms, Refusal> {
        self.account().terms.as_ref().ok_or(Refusal::Service { found: self.base.service, needed: Service::Open })
    }

    pub(super) fn meter(&self, meter: MeterNumber) -> Result<&MeterState, Refusal> {
        self.account().meter(meter).ok_or(Refusal::UnknownMeter { meter })
    }

    /// The number that the next event will have.
    pub(super) fn next_seq(&self) -> u64 {
        self.account().seq.saturating_add(1)
    }

    /// Records a fact, applies it, and notes what people are told about it.
    pub(super) fn push(&mut self, fact: Fact) -> Result<(), ApplyError> {
        let event = Event { account: self.base.id, seq: self.next_seq(), utc_s: self.now.utc_s, fact };
        self.changed.get_or_insert_with(|| self.base.clone()).apply(&event)?;
        self.effects.extend(Notice::of(&event).map(Effect::Notify));
        self.events.push(event);
        Ok(())
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(super) fn finish(self) -> Decision {
        let through_seq = self.account().seq;
        Decision { events: self.events, effects: Withheld::new(self.effects, self.base.id, through_seq) }
    }
}
