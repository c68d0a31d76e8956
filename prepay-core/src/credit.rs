//! Levels of credit with hysteresis.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::money::{Money, MoneyError};
use crate::status::Credit;

/// The levels at which credit changes its name. All in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "LevelsText", into = "LevelsText")]
pub struct Levels {
    alarm_1: Money,
    alarm_2: Money,
    overdraft: Money,
    hysteresis: Money,
}

impl Levels {
    /// Levels in their order: `alarm_1 > alarm_2 > −overdraft`.
    ///
    /// `hysteresis` is how far credit has to rise above an alarm before that alarm ends. Arrears end as soon as credit
    /// is above the limit again: whoever pays is supplied.
    ///
    /// # Errors
    /// [`LevelsError`] names the pair that is out of order or the value that is negative.
    pub fn new(alarm_1: Money, alarm_2: Money, overdraft: Money, hysteresis: Money) -> Result<Self, LevelsError> {
        if overdraft.is_negative() {
            return Err(LevelsError::Negative { field: "overdraft", value: overdraft });
        }
        if hysteresis.is_negative() {
            return Err(LevelsError::Negative { field: "hysteresis", value: hysteresis });
        }
        let cut_at = overdraft.negated()?;
        if alarm_2 <= cut_at {
            return Err(LevelsError::Order { upper: "alarm_2", above: alarm_2, lower: "-overdraft", below: cut_at });
        }
        if alarm_1 <= alarm_2 {
            return Err(LevelsError::Order { upper: "alarm_1", above: alarm_1, lower: "alarm_2", below: alarm_2 });
        }
        alarm_1.plus(hysteresis)?;
        Ok(Self { alarm_1, alarm_2, overdraft, hysteresis })
    }

    /// At or below this the first alarm is raised.
    #[must_use]
    pub const fn alarm_1(&self) -> Money {
        self.alarm_1
    }

    /// At or below this the second alarm is raised.
    #[must_use]
    pub const fn alarm_2(&self) -> Money {
        self.alarm_2
    }

    /// How far below zero credit may go.
    #[must_use]
    pub const fn overdraft(&self) -> Money {
        self.overdraft
    }

    /// At or below this the account is in arrears: `−overdraft`.
    #[must_use]
    pub const fn cut_at(&self) -> Money {
        Money::from_minor(self.overdraft.minor().saturating_neg())
    }

    /// The level of `available` credit after `previous`.
    ///
    /// Falling credit takes the new level at once. Rising credit leaves an alarm only when it is more than the
    /// hysteresis above it, so that credit that moves around a threshold is notified once.
    #[must_use]
    pub fn level(&self, previous: Credit, available: Money) -> Credit {
        let fallen_to = self.bare_level(available);
        if fallen_to >= previous || previous == Credit::Emergency {
            return fallen_to;
        }
        // Seen from below: the level that credit would have if it were less by the hysteresis.
        let careful = available.minus(self.hysteresis).map_or(Credit::Arrears, |less| self.bare_level(less));
        // Arrears end without hysteresis, and a rise is never reported as a fall.
        careful.min(Credit::Alarm2).max(fallen_to).min(previous)
    }

    fn bare_level(&self, available: Money) -> Credit {
        if available <= self.cut_at() {
            Credit::Arrears
        } else if available <= self.alarm_2 {
            Credit::Alarm2
        } else if available <= self.alarm_1 {
            Credit::Alarm1
        } else {
            Credit::Normal
        }
    }
}

#[derive(Serialize, Deserialize)]
struct LevelsText {
    alarm_1: Money,
    alarm_2: Money,
    overdraft: Money,
    hysteresis: Money,
}

impl TryFrom<LevelsText> for Levels {
    type Error = LevelsError;

    fn try_from(text: LevelsText) -> Result<Self, LevelsError> {
        Self::new(text.alarm_1, text.alarm_2, text.overdraft, text.hysteresis)
    }
}

impl From<Levels> for LevelsText {
    fn from(levels: Levels) -> Self {
        Self {
            alarm_1: levels.alarm_1,
            alarm_2: levels.alarm_2,
            overdraft: levels.overdraft,
            hysteresis: levels.hysteresis,
        }
    }
}

/// Levels that make no sense together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LevelsError {
    /// A size below zero.
    #[error("{field} is {} minor units, at least 0", value.minor())]
    Negative {
        /// Which one.
        field: &'static str,
        /// What was given.
        value: Money,
    },
    /// Two levels in the wrong order.
    #[error("{upper} is {} and must be above {lower}, which is {} (minor units)", above.minor(), below.minor())]
    Order {
        /// The level that must be higher.
        upper: &'static str,
        /// Its value.
        above: Money,
        /// The level that must be lower.
        lower: &'static str,
        /// Its value.
        below: Money,
    },
    /// A level at the end of the range.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEVELS: [Credit; 4] = [Credit::Normal, Credit::Alarm1, Credit::Alarm2, Credit::Arrears];

    fn yuan(yuan: i64) -> Money {
        Money::from_minor(yuan * 100)
    }

    fn levels() -> Levels {
        Levels::new(yuan(20), yuan(5), yuan(10), yuan(2)).unwrap()
    }

    #[test]
    fn falling_credit_takes_each_level_at_its_threshold() {
        let levels = levels();
        for (available, expected) in [
            (2001, Credit::Normal),
            (2000, Credit::Alarm1),
            (501, Credit::Alarm1),
            (500, Credit::Alarm2),
            (-999, Credit::Alarm2),
            (-1000, Credit::Arrears),
        ] {
            assert_eq!(levels.level(Credit::Normal, Money::from_minor(available)), expected, "{available}");
        }
    }

    #[test]
    fn rising_credit_leaves_an_alarm_only_above_the_hysteresis_and_arrears_at_once() {
        let levels = levels();
        assert_eq!(levels.level(Credit::Alarm1, yuan(22)), Credit::Alarm1);
        assert_eq!(levels.level(Credit::Alarm1, Money::from_minor(2201)), Credit::Normal);
        assert_eq!(levels.level(Credit::Alarm2, yuan(7)), Credit::Alarm2);
        assert_eq!(levels.level(Credit::Alarm2, Money::from_minor(701)), Credit::Alarm1);
        assert_eq!(levels.level(Credit::Alarm2, yuan(21)), Credit::Alarm1);
        assert_eq!(levels.level(Credit::Arrears, Money::from_minor(-999)), Credit::Alarm2);
        assert_eq!(levels.level(Credit::Arrears, yuan(-10)), Credit::Arrears);
        assert_eq!(levels.level(Credit::Arrears, yuan(100)), Credit::Normal);
    }

    #[test]
    fn levels_out_of_order_are_refused() {
        assert!(matches!(Levels::new(yuan(5), yuan(5), yuan(0), yuan(0)), Err(LevelsError::Order { .. })));
        assert!(matches!(Levels::new(yuan(5), yuan(0), yuan(0), yuan(0)), Err(LevelsError::Order { .. })));
        assert!(matches!(Levels::new(yuan(5), yuan(1), yuan(-1), yuan(0)), Err(LevelsError::Negative { .. })));
        assert!(matches!(Levels::new(yuan(5), yuan(1), yuan(0), yuan(-1)), Err(LevelsError::Negative { .. })));
        let text = serde_json::to_string(&levels()).unwrap();
        assert_eq!(serde_json::from_str::<Levels>(&text).unwrap(), levels());
        assert!(serde_json::from_str::<Levels>(&text.replace("2000", "1")).is_err());
    }

    proptest! {
        /// The level never contradicts the thresholds, and a level that does not change stays when asked again.
        #[test]
        fn a_level_is_true_and_stable(previous in 0_usize..4, available in -3000_i64..5000) {
            let levels = levels();
            let available = Money::from_minor(available);
            let level = levels.level(LEVELS[previous], available);
            let bare = levels.bare_level(available);
            prop_assert!(level >= bare, "a level is never better than its threshold");
            prop_assert_eq!(level == Credit::Arrears, bare == Credit::Arrears);
            prop_assert_eq!(levels.level(level, available), level);
        }

        /// Credit that moves less than the hysteresis crosses one threshold at most once.
        #[test]
        fn small_movements_notify_once(start in 1950_i64..2050, steps in prop::collection::vec(-90_i64..90, 0..40)) {
            let levels = levels();
            let mut level = levels.level(Credit::Normal, Money::from_minor(start));
            let mut changes = 0;
            for step in steps {
                let next = levels.level(level, Money::from_minor(2000 + step));
                changes += usize::from(next != level);
                level = next;
            }
            prop_assert!(changes <= 1);
        }
    }
}
