//! The words of COSEM (IEC 62055-21 and DLMS UA) for what this crate does, so that head-ends can show one vocabulary.
//!
//! | COSEM | Here |
//! |---|---|
//! | Account, `account_status` | [`crate::status::Service`] |
//! | `payment_mode` credit / prepayment | [`crate::account::Purse`], [`crate::account::Terms::bill_due_s`] |
//! | `available_credit` | `Account::purse` less what is set aside, or `MeterState::purse` |
//! | `aggregated_debt` | `Account::debts().total()` |
//! | `low_credit_threshold`, `next_credit_available_threshold` | [`crate::credit::Levels`] alarm 1, alarm 2 |
//! | `max_provision`, `max_provision_period` | [`crate::account::Terms::recovery`] |
//! | Credit, token credit | a sale |
//! | Credit, emergency credit; `credit_status` | [`CreditStatus`] |
//! | Charge, consumption based | settlement |
//! | Charge, time based | a debt of kind period end |
//! | Charge, payment event based | [`crate::debt::Recovery`] |
//! | friendly credit period | [`crate::relay::Cause::FriendlyHours`] |

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::status::Credit;

/// The states of a COSEM credit, here of emergency credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CreditStatus {
    /// Agreed, but not needed yet.
    Enabled,
    /// Offered: credit is low enough to take it.
    Selectable,
    /// Taken, not used yet.
    Invoked,
    /// Being used: it is what keeps the supply on.
    InUse,
    /// Used up.
    Exhausted,
}

impl Account {
    /// Where emergency credit stands; `None` when none is agreed.
    #[must_use]
    pub fn emergency_status(&self) -> Option<CreditStatus> {
        self.terms()?.emergency?;
        let worst = self.meters().iter().map(|meter| self.credit_of(meter)).max().unwrap_or(Credit::Normal);
        Some(match (self.emergency_taken(), worst) {
            (false, Credit::Normal | Credit::Alarm1) => CreditStatus::Enabled,
            (false, _) => CreditStatus::Selectable,
            (true, Credit::Normal | Credit::Alarm1 | Credit::Alarm2) => CreditStatus::Invoked,
            (true, Credit::Emergency) => CreditStatus::InUse,
            (true, Credit::Arrears) => CreditStatus::Exhausted,
        })
    }
}
