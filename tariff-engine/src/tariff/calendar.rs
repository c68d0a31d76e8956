//! Days: billing periods, weekends, holidays, make-up days, seasons, flags.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// The billing period: a number of months, each beginning on the same day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Billing {
    /// Day of the month on which a period begins, 1 to 28.
    pub start_day: u32,
    /// Months in a period: 1, 2, 3, 4, 6 or 12, counted from January.
    pub months: u32,
}

impl Default for Billing {
    fn default() -> Self {
        Self { start_day: 1, months: 1 }
    }
}

/// What kind of day a date is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calendar {
    /// The days of the week that are no working days; Saturday and Sunday if left out.
    pub weekend: Vec<Weekday>,
    /// Holidays.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<Holiday>,
    /// Make-up working days (调休上班): dates that are working days whatever day of the week they fall on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workdays: Vec<String>,
    /// Seasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub seasons: Vec<Season>,
    /// Names of flags that are told day by day, such as `"hot"` for days of 35 °C; at most 4.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub day_flags: Vec<String>,
}

impl Default for Calendar {
    fn default() -> Self {
        Self {
            weekend: vec![Weekday::Saturday, Weekday::Sunday],
            holidays: Vec::new(),
            workdays: Vec::new(),
            seasons: Vec::new(),
            day_flags: Vec::new(),
        }
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// 星期一.
    Monday,
    /// 星期二.
    Tuesday,
    /// 星期三.
    Wednesday,
    /// 星期四.
    Thursday,
    /// 星期五.
    Friday,
    /// 星期六.
    Saturday,
    /// 星期日.
    Sunday,
}

/// A holiday of one or more days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// Name; several entries (years) may share it.
    pub name: String,
    /// First day.
    pub from: String,
    /// Last day; the first one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// A part of the year. Seasons may overlap; a period names those that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Season {
    /// Name.
    pub name: String,
    /// First day, `"MM-DD"`.
    pub from: String,
    /// Last day, `"MM-DD"`; before `from` it lies in the next year.
    pub to: String,
}

/// A condition on the day. A named weekday matches whether or not it is a holiday; working day, weekend and holiday exclude
/// each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Day {
    /// 星期一.
    Monday,
    /// 星期二.
    Tuesday,
    /// 星期三.
    Wednesday,
    /// 星期四.
    Thursday,
    /// 星期五.
    Friday,
    /// 星期六.
    Saturday,
    /// 星期日.
    Sunday,
    /// Neither weekend nor holiday, or a make-up working day.
    Workday,
    /// A weekend day that is neither holiday nor make-up working day.
    Weekend,
    /// A holiday of the calendar that is no make-up working day.
    Holiday,
}
