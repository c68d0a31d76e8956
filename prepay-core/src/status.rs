//! The state of an account and a meter on independent axes, and the one projection that operators see.

use serde::{Deserialize, Serialize};

use crate::relay::Cause;

/// Where the account is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// Nothing is known about it yet.
    #[default]
    NotOpened,
    /// Everything is entered, one step opens it.
    Prepared,
    /// In use.
    Open,
    /// Open, but no sales; supply goes on by its rules.
    Paused,
    /// Settled for good.
    Closed,
}

/// How far the credit has fallen. The order is from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credit {
    /// Above the first alarm.
    #[default]
    Normal,
    /// At or below the first alarm.
    Alarm1,
    /// At or below the second alarm.
    Alarm2,
    /// Credit is used up, and so is the overdraft.
    Arrears,
    /// In arrears, but supplied from emergency credit.
    Emergency,
}

/// What the meter reports about its load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// Within its limit.
    #[default]
    Normal,
    /// Tripped on overload.
    Tripped,
}

/// Whether the meter is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// Heard within its interval.
    #[default]
    Fresh,
    /// Older than it should be.
    Stale,
    /// Not heard any more.
    Lost,
}

/// Whether the meter shows what the books expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// Count and balance agree with the books.
    #[default]
    Trusted,
    /// The meter's deductions and the tariff differ by more than rounding.
    Drifting,
    /// Writes that nobody here sent: no money moves until an operator releases it.
    Quarantined,
}

/// Whether current can flow, and by whose will.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Supply {
    /// The relay passes current, as last reported; `None` before the first report.
    pub closed: Option<bool>,
    /// The rule that decides now.
    pub cause: Cause,
}

/// All axes of one meter and its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Status {
    /// Life of the account.
    pub service: Service,
    /// Credit.
    pub credit: Credit,
    /// Load.
    pub load: Load,
    /// Link.
    pub link: Link,
    /// Trust.
    pub trust: Trust,
    /// Supply.
    pub supply: Supply,
}

/// What an operator sees about the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoneyState {
    /// No open account.
    NotOpened,
    /// Enough credit.
    Normal,
    /// First alarm.
    Alarm1,
    /// Second alarm.
    Alarm2,
    /// In arrears (also while emergency credit lasts).
    Arrears,
}

/// What an operator sees about the supply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SupplyState {
    /// The prepaid rules decide.
    Prepaid,
    /// Held on by an operator's order, or by friendly hours.
    KeepPower,
    /// Held off by an operator's order.
    ForcedOff,
    /// Off to keep a group under its limit.
    Shed,
    /// The meter tripped on overload.
    OverloadTrip,
    /// Locked off for people's safety.
    WorkTag,
}

/// What an operator sees about the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Heard in time.
    Fresh,
    /// Older than it should be.
    Stale,
    /// Not heard any more.
    LostContact,
    /// The meter's writes are not explained.
    Quarantined,
}

/// The three words that stand on a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DisplayState {
    /// Money.
    pub money: MoneyState,
    /// Supply.
    pub supply: SupplyState,
    /// Link.
    pub link: LinkState,
}

impl Status {
    /// Projects the axes onto what operators see.
    ///
    /// Each word takes the first line that holds:
    ///
    /// | Word | Order |
    /// |---|---|
    /// | money | account not open → not opened · arrears or emergency → arrears · alarm 2 · alarm 1 · normal |
    /// | supply | work tag · keep power · forced off · shed · overload trip · friendly hours → keep power · prepaid |
    /// | link | quarantined · lost contact · stale · fresh |
    ///
    /// An overload trip stands below the orders because they say why the relay may not close; above friendly hours
    /// because a tripped relay does not supply.
    #[must_use]
    pub const fn display_state(&self) -> DisplayState {
        let money = match (self.service, self.credit) {
            (Service::NotOpened | Service::Prepared | Service::Closed, _) => MoneyState::NotOpened,
            (_, Credit::Arrears | Credit::Emergency) => MoneyState::Arrears,
            (_, Credit::Alarm2) => MoneyState::Alarm2,
            (_, Credit::Alarm1) => MoneyState::Alarm1,
            (_, Credit::Normal) => MoneyState::Normal,
        };
        let supply = match (self.supply.cause, self.load) {
            (Cause::LockOut, _) => SupplyState::WorkTag,
            (Cause::KeepPower, _) => SupplyState::KeepPower,
            (Cause::ForcedOff, _) => SupplyState::ForcedOff,
            (Cause::LoadLimit, _) => SupplyState::Shed,
            (_, Load::Tripped) => SupplyState::OverloadTrip,
            (Cause::FriendlyHours, _) => SupplyState::KeepPower,
            (Cause::Arrears | Cause::Prepaid, _) => SupplyState::Prepaid,
        };
        let link = match (self.trust, self.link) {
            (Trust::Quarantined, _) => LinkState::Quarantined,
            (_, Link::Lost) => LinkState::LostContact,
            (_, Link::Stale) => LinkState::Stale,
            (_, Link::Fresh) => LinkState::Fresh,
        };
        DisplayState { money, supply, link }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICES: [Service; 5] =
        [Service::NotOpened, Service::Prepared, Service::Open, Service::Paused, Service::Closed];
    const CREDITS: [Credit; 5] = [Credit::Normal, Credit::Alarm1, Credit::Alarm2, Credit::Arrears, Credit::Emergency];
    const LINKS: [Link; 3] = [Link::Fresh, Link::Stale, Link::Lost];
    const TRUSTS: [Trust; 3] = [Trust::Trusted, Trust::Drifting, Trust::Quarantined];

    /// Every combination of the axes, against the documented order written a second time as rules.
    #[test]
    fn every_combination_shows_the_first_line_that_holds() {
        let mut seen = 0;
        for service in SERVICES {
            for credit in CREDITS {
                for load in [Load::Normal, Load::Tripped] {
                    for link in LINKS {
                        for trust in TRUSTS {
                            for cause in Cause::ALL {
                                let supply = Supply { closed: Some(true), cause };
                                let shown = Status { service, credit, load, link, trust, supply }.display_state();
                                let open = matches!(service, Service::Open | Service::Paused);
                                let money = [
                                    (!open, MoneyState::NotOpened),
                                    (credit >= Credit::Arrears, MoneyState::Arrears),
                                    (credit == Credit::Alarm2, MoneyState::Alarm2),
                                    (credit == Credit::Alarm1, MoneyState::Alarm1),
                                    (true, MoneyState::Normal),
                                ];
                                let supply = [
                                    (cause == Cause::LockOut, SupplyState::WorkTag),
                                    (cause == Cause::KeepPower, SupplyState::KeepPower),
                                    (cause == Cause::ForcedOff, SupplyState::ForcedOff),
                                    (cause == Cause::LoadLimit, SupplyState::Shed),
                                    (load == Load::Tripped, SupplyState::OverloadTrip),
                                    (cause == Cause::FriendlyHours, SupplyState::KeepPower),
                                    (true, SupplyState::Prepaid),
                                ];
                                let link = [
                                    (trust == Trust::Quarantined, LinkState::Quarantined),
                                    (link == Link::Lost, LinkState::LostContact),
                                    (link == Link::Stale, LinkState::Stale),
                                    (true, LinkState::Fresh),
                                ];
                                assert_eq!(Some(shown.money), money.iter().find(|line| line.0).map(|line| line.1));
                                assert_eq!(Some(shown.supply), supply.iter().find(|line| line.0).map(|line| line.1));
                                assert_eq!(Some(shown.link), link.iter().find(|line| line.0).map(|line| line.1));
                                seen += 1;
                            }
                        }
                    }
                }
            }
        }
        assert_eq!(seen, 5 * 5 * 2 * 3 * 3 * 7);
    }
}
