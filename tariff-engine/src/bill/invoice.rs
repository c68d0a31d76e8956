//! What an invoice needs: net, tax and gross.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use rust_decimal::Decimal;
use serde::Serialize;

use super::line::{Bill, LineKind, Quantity};
use crate::decimal_text;
use crate::exact::{Amount, AmountError, Rounding};

/// Data for an invoice (发票) over a bill. Net and tax sum to gross, on each line and in total.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invoice {
    /// Lines of charges.
    pub lines: Vec<InvoiceLine>,
    /// Sum without tax.
    #[serde(with = "decimal_text")]
    pub net: Decimal,
    /// Tax.
    #[serde(with = "decimal_text")]
    pub tax: Decimal,
    /// Sum with tax: the bill's total, rounded once.
    #[serde(with = "decimal_text")]
    pub gross: Decimal,
}

/// One line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InvoiceLine {
    /// Kind of charge.
    pub kind: LineKind,
    /// Name of the rate or charge.
    pub name: String,
    /// What is priced.
    pub quantity: Option<Quantity>,
    /// Without tax.
    #[serde(with = "decimal_text")]
    pub net: Decimal,
    /// Tax in the line.
    #[serde(with = "decimal_text")]
    pub tax: Decimal,
    /// With tax.
    #[serde(with = "decimal_text")]
    pub gross: Decimal,
}

impl Bill {
    /// Invoice data for prices that include a tax of so many per cent. Each line's gross is rounded once, its tax is
    /// gross × per cent ÷ (100 + per cent) rounded once, and net is the rest. What rounding lines leaves over is a line of its own.
    ///
    /// # Errors
    /// [`AmountError::OutOfRange`] for a per cent outside 0 to 1000 or finer than 10⁻⁶.
    pub fn invoice(&self, percent: Decimal, rounding: Rounding) -> Result<Invoice, AmountError> {
        let micro = crate::Energy::from_decimal(percent).map_err(|_| AmountError::OutOfRange)?.micro_kwh();
        if !(0..=1_000_000_000).contains(&micro) {
            return Err(AmountError::OutOfRange);
        }
        let whole = u128::from(micro.unsigned_abs()).saturating_add(100_000_000);
        let (mut sum, mut tax_sum) = (Amount::ZERO, Amount::ZERO);
        let mut lines = Vec::with_capacity(self.lines.len());
        let mut put = |kind, name: &str, quantity, gross: Amount| -> Result<(), AmountError> {
            let tax = gross.times(i128::from(micro), whole)?.rounded(rounding);
            let net = gross.minus(&tax)?;
            sum.add(&gross)?;
            tax_sum.add(&tax)?;
            lines.push(InvoiceLine {
                kind,
                name: name.to_string(),
                quantity,
                net: net.round(rounding),
                tax: tax.round(rounding),
                gross: gross.round(rounding),
            });
            Ok(())
        };
        let mut gross_sum = Amount::ZERO;
        for line in &self.lines {
            let gross = line.amount.rounded(rounding);
            gross_sum.add(&gross)?;
            put(line.kind, &line.name, line.quantity, gross)?;
        }
        let left = self.total.rounded(rounding).minus(&gross_sum)?;
        if !left.is_zero() {
            put(LineKind::Rounding, "rounding", None, left)?;
        }
        Ok(Invoice {
            lines,
            net: sum.minus(&tax_sum)?.round(rounding),
            tax: tax_sum.round(rounding),
            gross: sum.round(rounding),
        })
    }
}
