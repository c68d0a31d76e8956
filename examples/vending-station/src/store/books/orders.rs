//! Operators' orders about supply, one meter of a batch at a time. What the relay has to be is decided by the account; here
//! stand only the refusals that a person has to be told.

use super::{
    BooksError,
    rows::{OrderedRow, Rows},
    writer::{Sealed, Writer},
};
use prepay_core::{
    account::{Command, SupplyOrder},
    id::{AccountId, MeterNumber, OperatorId, Reason},
    reading::Force,
};

/// What is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// On, whatever the credit (保电).
    KeepPower,
    /// Back to the prepaid rules (恢复预付费).
    RestorePrepaid,
    /// Off (拉闸).
    ForceOff,
    /// People work on the line (检修挂牌).
    PlaceTag,
    /// They are done.
    LiftTag {
        /// Whether whoever lifts it is an administrator.
        administrator: bool,
    },
}

/// An order for one meter of a batch.
#[derive(Debug, Clone)]
pub struct SupplyRequest {
    /// The batch.
    pub batch: i64,
    /// The meter.
    pub meter: MeterNumber,
    /// Its account.
    pub account: AccountId,
    /// What.
    pub switch: Switch,
    /// Who.
    pub by: OperatorId,
    /// Why.
    pub why: Reason,
    /// Until when, UTC seconds; none: until it is lifted.
    pub until_utc_s: Option<i64>,
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordered {
    /// It goes to the meter; the row follows this version.
    Given {
        /// The version of the relay order.
        version: u32,
    },
    /// Nothing has to be written: the meter was told so before. A reading has to show it.
    Stands {
        /// The version of the relay order.
        version: u32,
        /// The force word that the meter has to show.
        force: Force,
    },
    /// The order is refused; the row says why.
    Refused(String),
}

impl Writer {
    pub(super) fn order(
        &mut self,
        request: &SupplyRequest,
        rows: &mut Rows,
    ) -> (Result<Ordered, BooksError>, Option<Sealed>) {
        let (batch, meter, utc_s) = (request.batch, request.meter, self.clock.utc_s());
        let refuse = |rows: &mut Rows, reason: String| {
            rows.ordered(OrderedRow { batch, meter, state: "refused", version: 0, reason: reason.clone(), utc_s });
            (Ok(Ordered::Refused(reason)), None)
        };
        if let Some(reason) = self.obstacle(request) {
            return refuse(rows, reason);
        }
        let effects = match self.decide(request.account, &command(request), rows) {
            Ok(effects) => effects,
            Err(error) => return refuse(rows, error.to_string()),
        };
        let account = self.state.accounts.get(&request.account);
        let order = account.and_then(|account| account.meters().iter().find(|meter| meter.number() == request.meter));
        let Some(order) = order.map(|meter| *meter.order()) else {
            return refuse(rows, format!("account {} has no meter {}", request.account.0, request.meter));
        };
        let version = order.version;
        let ordered = if order.confirmed {
            Ordered::Stands { version, force: order.decided.force }
        } else {
            Ordered::Given { version }
        };
        rows.ordered(OrderedRow { batch, meter, state: "sent", version, reason: String::new(), utc_s });
        (Ok(ordered), Some((request.account, effects)))
    }

    /// An order that would have no effect on the relay is refused, so that nobody believes in it.
    fn obstacle(&self, request: &SupplyRequest) -> Option<String> {
        let account = self.state.accounts.get(&request.account).filter(|account| account.terms().is_some());
        let meter = account.and_then(|account| account.meters().iter().find(|meter| meter.number() == request.meter));
        let Some(meter) = meter else { return Some(format!("the account of meter {} is not open", request.meter)) };
        match request.switch {
            Switch::KeepPower | Switch::RestorePrepaid => meter
                .lock_out()
                .map(|tag| format!("a work tag of operator {} forbids every close: {}", tag.by.0, tag.why.as_str())),
            Switch::ForceOff => meter.keep_power().map(|keep| {
                format!("operator {} keeps power on: {}; restore prepaid first", keep.by.0, keep.why.as_str())
            }),
            Switch::PlaceTag | Switch::LiftTag { .. } => None,
        }
    }
}

fn command(request: &SupplyRequest) -> Command {
    let SupplyRequest { meter, by, until_utc_s, .. } = *request;
    let why = request.why.clone();
    let supply = |order| Command::OrderSupply { meter, order, by, why: why.clone(), until_utc_s };
    match request.switch {
        Switch::KeepPower => supply(SupplyOrder::KeepPower),
        Switch::RestorePrepaid => supply(SupplyOrder::Prepaid),
        Switch::ForceOff => supply(SupplyOrder::ForcedOff),
        Switch::PlaceTag => Command::PlaceLockOut { meter, by, why },
        Switch::LiftTag { administrator } => Command::LiftLockOut { meter, by, administrator, why },
    }
}
