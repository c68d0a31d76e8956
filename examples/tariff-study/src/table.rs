//! Tables: CSV files, and a summary for the terminal.

use std::fmt::Write as _;
use std::path::Path;

use rust_decimal::Decimal;
use tariff_engine::{Rounding, RoundingMode};

use crate::study::Study;

/// Every bill: tenant, tariff, last day, amount.
pub(crate) fn bills(path: &Path, study: &Study) -> Result<(), csv::Error> {
    let mut file = csv::Writer::from_path(path)?;
    file.write_record(["tenant", "kind", "tariff", "to", "bill"])?;
    for outcome in &study.outcomes {
        for (tariff, bills) in study.tariffs.iter().zip(&outcome.bills) {
            for (to, total) in bills {
                let places = Rounding::new(2, RoundingMode::HalfEven);
                let total = places.map_or(Decimal::ZERO, |places| total.round(places)).to_string();
                file.write_record([outcome.name.as_str(), &outcome.kind, tariff, to, &total])?;
            }
        }
    }
    Ok(file.flush()?)
}

/// A row for each tenant: the year under each tariff, and what it changes at equal revenue.
pub(crate) fn tenants(path: &Path, study: &Study) -> Result<(), csv::Error> {
    let mut file = csv::Writer::from_path(path)?;
    let mut header: Vec<String> = ["tenant", "kind", "kwh"].map(String::from).to_vec();
    header.extend(study.tariffs.iter().map(|tariff| format!("{tariff}: year")));
    header.extend(study.tariffs.iter().map(|tariff| format!("{tariff}: mean price per kWh")));
    for tariff in study.tariffs.iter().skip(1) {
        header.push(format!("{tariff}: change at equal revenue"));
        header.push(format!("{tariff}: change in %"));
    }
    file.write_record(&header)?;
    for outcome in &study.outcomes {
        let mut row = vec![outcome.name.clone(), outcome.kind.clone(), outcome.energy.to_decimal().to_string()];
        row.extend(outcome.totals.iter().map(Decimal::to_string));
        row.extend((0..study.tariffs.len()).map(|tariff| outcome.mean_price(tariff).to_string()));
        for tariff in 1..study.tariffs.len() {
            row.push(outcome.change(tariff).to_string());
            row.push(outcome.change_percent(tariff).to_string());
        }
        file.write_record(&row)?;
    }
    Ok(file.flush()?)
}

/// Who gains and who loses, in a few lines.
pub(crate) fn summary(study: &Study) -> String {
    let mut text = String::new();
    let base = study.tariffs.first().map_or("", String::as_str);
    let all = study.outcomes.len();
    for (place, tariff) in study.tariffs.iter().enumerate() {
        // A string takes every line.
        let _ =
            write!(text, "{tariff}: {all} tenants pay {} {} in {}", study.revenue(place), study.currency, study.year);
        if place > 0 {
            let changes: Vec<Decimal> = study.outcomes.iter().map(|outcome| outcome.change_percent(place)).collect();
            let gain = changes.iter().filter(|change| change.is_sign_negative() && !change.is_zero()).count();
            let lose = changes.iter().filter(|change| change.is_sign_positive() && !change.is_zero()).count();
            let most = |best: Option<&Decimal>| best.map_or_else(String::new, |change| format!("{change:+} %"));
            let _ = write!(
                text,
                "; scaled to the revenue of {base}, {gain} gain (up to {}) and {lose} lose (up to {})",
                most(changes.iter().min()),
                most(changes.iter().max()),
            );
        }
        text.push('\n');
    }
    text
}
