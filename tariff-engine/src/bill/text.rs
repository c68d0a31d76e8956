//! Bills in words, Chinese and English.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt::Write;

use rust_decimal::Decimal;

use super::line::{Bill, Line, LineKind, Quantity, Reason, Unit};
use crate::exact::{Amount, Energy, MAX_PLACES, Rounding, RoundingMode};

/// The language of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Language {
    /// Chinese.
    #[default]
    Chinese,
    /// English.
    English,
}

impl Language {
    /// Picks the word of this language.
    const fn pick<'a>(self, chinese: &'a str, english: &'a str) -> &'a str {
        match self {
            Self::Chinese => chinese,
            Self::English => english,
        }
    }
}

impl Bill {
    /// The bill as plain text that a tenant understands: each line with its quantity, price and amount, and below it why.
    pub fn text(&self, language: Language) -> String {
        let mut text = String::new();
        let title = language.pick("电费账单", "Electricity bill");
        push(&mut text, format_args!("{title}  {}\n{}\n\n", self.tariff, self.heading(language)));
        for (index, line) in self.lines.iter().enumerate() {
            let number = index.saturating_add(1);
            push(&mut text, format_args!("{number:>2}. {}\n", self.row(line, language)));
            push(&mut text, format_args!("    {}\n", reason(line, language)));
        }
        let total = language.pick("合计", "Total");
        push(&mut text, format_args!("\n{total}: {} {}\n", shown(&self.total), self.currency));
        for note in self.notes(language) {
            push(&mut text, format_args!("{note}\n"));
        }
        text
    }

    /// The bill as a Markdown table.
    pub fn markdown(&self, language: Language) -> String {
        let mut text = String::new();
        let title = language.pick("电费账单", "Electricity bill");
        push(&mut text, format_args!("## {title} {}\n\n{}\n\n", cell(&self.tariff), self.heading(language)));
        let head = language.pick("| 项目 | 数量 | 单价 | 金额 | 说明 |", "| Item | Quantity | Price | Amount | Why |");
        push(&mut text, format_args!("{head}\n|---|---:|---:|---:|---|\n"));
        for line in &self.lines {
            let quantity = line.quantity.map_or_else(String::new, |quantity| quantity_text(quantity, language));
            let price = line.unit_price.map_or_else(String::new, |price| price.to_string());
            let name = cell(&item(line, language));
            let (amount, why) = (shown(&line.amount), cell(&reason(line, language)));
            push(&mut text, format_args!("| {name} | {quantity} | {price} | {amount} | {why} |\n"));
        }
        let total = language.pick("合计", "Total");
        push(&mut text, format_args!("| **{total}** | | | **{} {}** | |\n", shown(&self.total), cell(&self.currency)));
        for note in self.notes(language) {
            push(&mut text, format_args!("\n{}\n", cell(&note)));
        }
        text
    }

    fn heading(&self, language: Language) -> String {
        let (from, to, energy) = (&self.from_date, &self.to_date, self.energy);
        match language {
            Language::Chinese => format!("计费期 {from} 至 {to}，用电量 {energy} kWh"),
            Language::English => format!("From {from} to {to}, energy {energy} kWh"),
        }
    }

    fn row(&self, line: &Line, language: Language) -> String {
        let name = item(line, language);
        let amount = shown(&line.amount);
        match (line.quantity, line.unit_price) {
            (Some(quantity), Some(price)) => {
                format!("{name}: {} × {price} = {amount} {}", quantity_text(quantity, language), self.currency)
            }
            (Some(quantity), None) => {
                format!("{name}: {} → {amount} {}", quantity_text(quantity, language), self.currency)
            }
            _ => format!("{name}: {amount} {}", self.currency),
        }
    }

    fn notes(&self, language: Language) -> impl Iterator<Item = String> {
        let included = self.included_taxes.iter().map(move |tax| {
            let (name, percent, amount, gross) = (&tax.name, tax.percent, shown(&tax.tax), shown(&tax.gross));
            match language {
                Language::Chinese => format!("其中 {gross} 已含{name} {percent}%：{amount}"),
                Language::English => format!("{gross} of it includes {name} of {percent} %: {amount}"),
            }
        });
        let order = self.estimated_order.then(|| {
            let chinese = "抄表间隔跨越阶梯分界，各时段电量按比例分摊。";
            let english = "Some readings lie across a tier border; their rates were shared out in proportion.";
            language.pick(chinese, english).to_string()
        });
        let provisional = self.provisional.then(|| {
            let chinese = "本期尚未结束，金额为暂估。";
            let english = "The period is not over; the amounts are provisional.";
            language.pick(chinese, english).to_string()
        });
        included.chain(order).chain(provisional)
    }
}

/// Writing to a string does not fail.
fn push(text: &mut String, arguments: core::fmt::Arguments<'_>) {
    let _ = text.write_fmt(arguments);
}

/// Keeps a text inside its table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// What the line is for.
fn item(line: &Line, language: Language) -> String {
    let kind = match line.kind {
        LineKind::Energy => language.pick("电度电费", "Energy"),
        LineKind::Demand => language.pick("需量电费", "Demand"),
        LineKind::Contract => language.pick("容量电费", "Contracted capacity"),
        LineKind::OverContract => language.pick("超约电费", "Above contract"),
        LineKind::Fixed => language.pick("固定费", "Fixed charge"),
        LineKind::PowerFactor => return language.pick("力率调整电费", "Power-factor adjustment").to_string(),
        LineKind::MinimumMonthly => {
            return language.pick("月度最低电费补差", "Top-up to the monthly minimum").to_string();
        }
        LineKind::MinimumAnnual => {
            return language.pick("年度最低电费补差", "Top-up to the annual minimum").to_string();
        }
        LineKind::Tax => language.pick("税费", "Tax or fund"),
        LineKind::Rounding => return language.pick("尾数取整", "Rounding").to_string(),
    };
    let name = rate_name(&line.name, language);
    match (line.tier, language) {
        (None, _) => format!("{kind} {name}"),
        (Some(tier), Language::Chinese) => format!("{kind} {name} 第{tier}档"),
        (Some(tier), Language::English) => format!("{kind} {name}, tier {tier}"),
    }
}

/// The usual names of rates have Chinese ones.
fn rate_name(name: &str, language: Language) -> &str {
    if language == Language::English {
        return name;
    }
    match name {
        "spike" => "尖",
        "peak" => "峰",
        "flat" => "平",
        "valley" => "谷",
        "deep_valley" => "深谷",
        other => other,
    }
}

/// Why the line is there.
fn reason(line: &Line, language: Language) -> String {
    let why = match &line.reason {
        Reason::Used => language.pick("该费率时段的用电量", "energy used while this rate held").to_string(),
        Reason::Tier { from_kwh, to_kwh } => tier_text(*from_kwh, *to_kwh, language),
        Reason::Peak { at_local, .. } if at_local.is_empty() => {
            language.pick("本期无用电", "nothing was used").to_string()
        }
        Reason::Peak { at_local, .. } => match language {
            Language::Chinese => format!("最大需量出现于 {at_local}"),
            Language::English => format!("highest mean power, in the window up to {at_local}"),
        },
        Reason::ReportedPeak => {
            language.pick("电表记录的最大需量", "highest demand that the meter recorded").to_string()
        }
        Reason::Ratchet { measured_kw } => match language {
            Language::Chinese => format!("实测需量 {measured_kw} kW，按前期峰值计费"),
            Language::English => format!("measured {measured_kw} kW; earlier peaks bind"),
        },
        Reason::MinimumDemand { measured_kw } => match language {
            Language::Chinese => format!("实测需量 {measured_kw} kW，按最低需量计费"),
            Language::English => format!("measured {measured_kw} kW; the minimum demand binds"),
        },
        Reason::Contracted => language.pick("合同容量", "contracted capacity").to_string(),
        Reason::AboveContract { peak, contract } => match language {
            Language::Chinese => format!("实测 {peak}，合同 {contract}，超出部分"),
            Language::English => format!("peak {peak}, contract {contract}: the part above"),
        },
        Reason::Standing => language.pick("与用电量无关", "does not depend on usage").to_string(),
        Reason::PowerFactor { hundredths } => {
            let power_factor = Decimal::new(i64::from(*hundredths), 2);
            let base = line.base.as_ref().map(shown).unwrap_or_default();
            match language {
                Language::Chinese => format!("功率因数 {power_factor}，调整基数 {base}"),
                Language::English => format!("power factor {power_factor}, taken of {base}"),
            }
        }
        Reason::BelowMinimum { minimum } => {
            let (base, minimum) = (line.base.as_ref().map(shown).unwrap_or_default(), shown(minimum));
            match language {
                Language::Chinese => format!("已计 {base}，低于最低电费 {minimum}"),
                Language::English => format!("{base} is below the minimum of {minimum}"),
            }
        }
        Reason::PercentOfBase => {
            let base = line.base.as_ref().map(shown).unwrap_or_default();
            match language {
                Language::Chinese => format!("计税基数 {base}"),
                Language::English => format!("taken of {base}"),
            }
        }
        Reason::PerKwh => language.pick("按用电量计收", "for each kWh").to_string(),
        Reason::RoundedTotal => {
            let base = line.base.as_ref().map(shown).unwrap_or_default();
            match language {
                Language::Chinese => format!("取整前合计 {base}"),
                Language::English => format!("the sum before it is {base}"),
            }
        }
    };
    match (&line.dates, language) {
        (None, _) => why,
        (Some((from, to)), Language::Chinese) => format!("{why}（{from} 至 {to}）"),
        (Some((from, to)), Language::English) => format!("{why} ({from} to {to})"),
    }
}

fn tier_text(from_kwh: Energy, to_kwh: Option<Energy>, language: Language) -> String {
    match (to_kwh, language) {
        (Some(to), Language::Chinese) => format!("本阶梯 {from_kwh} 至 {to} kWh"),
        (Some(to), Language::English) => format!("the tier from {from_kwh} to {to} kWh"),
        (None, Language::Chinese) => format!("本阶梯 {from_kwh} kWh 以上"),
        (None, Language::English) => format!("the tier above {from_kwh} kWh"),
    }
}

fn quantity_text(quantity: Quantity, language: Language) -> String {
    let unit = match quantity.unit {
        Unit::Kwh => "kWh",
        Unit::Kw => "kW",
        Unit::Kva => "kVA",
        Unit::Day => language.pick("天", "days"),
        Unit::Month => language.pick("月", "months"),
        Unit::Percent => "%",
    };
    format!("{} {unit}", quantity.value)
}

/// An amount with at least two places; one that no decimal of ten places holds ends in an ellipsis.
fn shown(amount: &Amount) -> String {
    let Some(rounding) = Rounding::new(MAX_PLACES, RoundingMode::HalfEven) else { return amount.to_string() };
    let rounded = amount.rounded(rounding);
    let mut decimal = amount.round(rounding).normalize();
    if decimal.scale() < 2 {
        decimal.rescale(2);
    }
    if rounded == *amount { decimal.to_string() } else { format!("{decimal}…") }
}
