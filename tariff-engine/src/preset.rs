//! Ready-made parts of tariffs, each with its source and what of it is unverified.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use crate::exact::Number;
use crate::tariff::{Period, PowerFactor, PowerFactorStep, Rate};

/// A preset and where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Preset<T> {
    /// The part of a tariff.
    pub part: T,
    /// Where it is known from.
    pub source: &'static str,
    /// What nobody has checked against an original. Empty where two independent sources agree.
    pub unverified: &'static str,
}

/// The standard power factor of an account in China.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandardPowerFactor {
    /// 0.90.
    F090,
    /// 0.85.
    F085,
    /// 0.80.
    F080,
}

/// The Chinese power-factor adjustment (功率因数调整电费办法, 水电财字 83-215): 0.5 % for each hundredth below the standard, 1 % from
/// the twentieth on, 2 % from the twenty-fifth on; reductions above it up to a limit.
///
/// Taken of energy, demand and contracted capacity, without the price components named here (government funds); two factory bills
/// of 2025 are met only that way.
pub fn china_power_factor(standard: StandardPowerFactor, funds: &[&str]) -> Preset<PowerFactor> {
    let (standard, rewards): (i64, &[i64]) = match standard {
        StandardPowerFactor::F090 => (90, &[15, 30, 45, 60, 75]),
        StandardPowerFactor::F085 => (85, &[10, 20, 30, 40, 50, 65, 80, 95, 110]),
        StandardPowerFactor::F080 => (80, &[10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 115, 130]),
    };
    let mut table = Vec::new();
    for (above, reward) in (1_i64..).zip(rewards) {
        table.insert(0, step(standard.saturating_add(above), reward.saturating_neg()));
    }
    let mut percent = 0_i64;
    table.push(step(standard, percent));
    for below in 1..=standard {
        percent = percent.saturating_add(match below {
            1..=20 => 50,
            21..=25 => 100,
            _ => 200,
        });
        table.push(step(standard.saturating_sub(below), percent));
    }
    Preset {
        part: PowerFactor {
            table,
            base: ["energy", "demand", "contract"].map(ToString::to_string).to_vec(),
            without: funds.iter().map(|name| (*name).to_string()).collect(),
        },
        source: "(83)水电财字第215号, as printed by several grid companies; two factory bills of August 2025",
        unverified: "below 0.30 the rule is continued; printed tables end there",
    }
}

/// Hundredths and hundredths of a per cent, as the document writes them.
fn step(at_least: i64, percent: i64) -> PowerFactorStep {
    let number = |hundredths: i64| Number::from(rust_decimal::Decimal::new(hundredths, 2));
    PowerFactorStep { at_least: number(at_least), percent: number(percent) }
}

/// What ratio the peak of Jiangsu's commercial hours has, by kind of account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JiangsuAccount {
    /// Two-part tariff (两部制): peak +80 %.
    TwoPart,
    /// Single-part, 100 kVA and above (单一制): peak +70 %.
    SinglePart,
    /// Single-part, below 100 kVA: peak +60 %.
    SmallSinglePart,
}

/// Jiangsu's hours and ratios for commerce and industry from 1 June 2025 (苏发改价格发〔2025〕426号): valley −65 %, peak +80, +70 or
/// +60 %, of the purchase price only.
///
/// Gives the rates `peak`, `flat` and `valley` with their ratios, and their periods. Transmission, losses, system costs and funds
/// are components that are not scaled.
pub fn jiangsu_commercial(account: JiangsuAccount) -> Preset<(Vec<Rate>, Vec<Period>)> {
    let peak = match account {
        JiangsuAccount::TwoPart => "1.8",
        JiangsuAccount::SinglePart => "1.7",
        JiangsuAccount::SmallSinglePart => "1.6",
    };
    let rate = |name: &str, ratio: &str| Rate { name: name.into(), ratio: Some(ratio.into()), ..Rate::default() };
    let (summer_and_winter, between) = ([1, 2, 6, 7, 8, 12], [3, 4, 5, 9, 10, 11]);
    let period = |rate: &str, from: &str, to: &str, months: &[u32]| Period {
        rate: rate.into(),
        from: from.into(),
        to: to.into(),
        months: months.to_vec(),
        precedence: 1,
        ..Period::default()
    };
    let periods = vec![
        Period { precedence: 0, ..period("flat", "00:00", "24:00", &[]) },
        period("peak", "14:00", "22:00", &summer_and_winter),
        period("valley", "00:00", "06:00", &summer_and_winter),
        period("valley", "11:00", "13:00", &summer_and_winter),
        period("peak", "15:00", "22:00", &between),
        period("valley", "02:00", "06:00", &between),
        period("valley", "10:00", "14:00", &between),
    ];
    Preset {
        part: (vec![rate("peak", peak), rate("flat", "1"), rate("valley", "0.35")], periods),
        source: "苏发改价格发〔2025〕426号, hours and ratios as a grid company's price table quotes it",
        unverified: "the notice itself was not at hand; spike hours (尖峰) on hot and cold days are not included",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn percent(standard: StandardPowerFactor, hundredths: i64) -> String {
        let table = china_power_factor(standard, &[]).part.table;
        let reaches = |step: &&PowerFactorStep| {
            step.at_least.decimal().unwrap() * rust_decimal::Decimal::ONE_HUNDRED <= hundredths.into()
        };
        table.iter().find(reaches).unwrap().percent.to_string()
    }

    #[test]
    fn the_table_as_it_is_printed() {
        use StandardPowerFactor::{F080, F085, F090};
        let printed = [
            (F090, 100, "-0.75"),
            (F090, 95, "-0.75"),
            (F090, 94, "-0.60"),
            (F090, 90, "0.00"),
            (F090, 89, "0.50"),
            (F090, 70, "10.00"),
            (F090, 69, "11.00"),
            (F090, 65, "15.00"),
            (F090, 64, "17.00"),
            (F090, 60, "25.00"),
            (F090, 30, "85.00"),
            (F085, 94, "-1.10"),
            (F085, 93, "-0.95"),
            (F085, 90, "-0.50"),
            (F085, 84, "0.50"),
            (F085, 65, "10.00"),
            (F085, 60, "15.00"),
            (F085, 30, "75.00"),
            (F080, 92, "-1.30"),
            (F080, 91, "-1.15"),
            (F080, 90, "-1.00"),
            (F080, 60, "10.00"),
            (F080, 55, "15.00"),
            (F080, 30, "65.00"),
        ];
        for (standard, hundredths, expected) in printed {
            assert_eq!(percent(standard, hundredths), expected, "{standard:?} {hundredths}");
        }
    }
}
