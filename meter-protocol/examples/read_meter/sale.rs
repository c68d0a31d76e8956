//! Selling: intent, one frame, read-back, verdict.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meter_protocol::acrel::{Purchase, PurseReading, RealtimeLayout, SaleVerdict};
use serde_json::{Value, json};

use crate::BoxedClient;
use crate::journal::{Intent, Journal};
use crate::snapshot::decimal;

/// Sells into one meter.
pub(crate) struct Till {
    unit: u8,
    layout: RealtimeLayout,
    frame_life_s: u32,
    price_ceiling_minor: u32,
}

impl Till {
    pub(crate) fn new(unit: u8, layout: RealtimeLayout, frame_life_s: u32, price_ceiling_minor: i32) -> Self {
        Self { unit, layout, frame_life_s, price_ceiling_minor: price_ceiling_minor.unsigned_abs() }
    }

    /// Gives every unresolved sale of this meter its verdict, by reading back.
    pub(crate) async fn settle(
        &self,
        client: &mut BoxedClient,
        journal: &mut Journal,
    ) -> Result<Vec<Value>, Box<dyn Error>> {
        let open = journal.unresolved();
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let number = client.read_meter_number(self.unit).await?.to_string();
        let mut told = Vec::new();
        for intent in open.into_iter().filter(|intent| intent.meter_number == number) {
            let shown = self.reading(client).await?;
            if self.verdict(&intent, &shown)? == SaleVerdict::NotTaken {
                // The frame may still be on its way, in a gateway or on the radio.
                tokio::time::sleep(self.rest_of_frame_life(&intent)).await;
            }
            let shown = self.reading(client).await?;
            told.push(self.close(journal, &intent, &shown)?);
        }
        Ok(told)
    }

    /// Sells once.
    pub(crate) async fn sell(
        &self,
        client: &mut BoxedClient,
        journal: &mut Journal,
        amount_minor: i32,
    ) -> Result<Value, Box<dyn Error>> {
        let amount_minor = u32::try_from(amount_minor).map_err(|_| "a sale is positive")?;
        let meter_number = client.read_meter_number(self.unit).await?.to_string();
        let before = self.reading(client).await?;
        let sale = Purchase::new(amount_minor, before.purchase_count)?;
        let intent = Intent { sale: 0, meter_number, unit: self.unit, amount_minor, before, at_s: now_s()? };
        let intent = journal.intend(intent)?;
        let sent = client.sell(self.unit, &sale).await;
        let unknown = |error: &dyn Error| {
            format!("sale {} has no end yet ({error}); start again with this journal to settle it", intent.sale)
        };
        let shown = self.reading(client).await.map_err(|error| unknown(error.as_ref()))?;
        match &sent {
            // Nothing came back, and the count is the old one: the frame may still be on its way.
            Err(error) if error.may_have_acted() && self.verdict(&intent, &shown)? == SaleVerdict::NotTaken => {
                Err(unknown(error).into())
            }
            _ => {
                let told = self.close(journal, &intent, &shown)?;
                match told["state"].as_str() {
                    Some("taken") => Ok(told),
                    _ => Err(format!("the meter did not take sale {}", intent.sale).into()),
                }
            }
        }
    }

    /// Writes the verdict and tells it. A sale that was not taken or does not add up is an error.
    fn close(&self, journal: &mut Journal, intent: &Intent, shown: &PurseReading) -> Result<Value, Box<dyn Error>> {
        let (state, note) = match self.verdict(intent, shown)? {
            SaleVerdict::Taken { used_minor } => ("taken", format!("used meanwhile: {}", decimal(used_minor, -2))),
            SaleVerdict::NotTaken => ("not_taken", String::new()),
            SaleVerdict::Contradicted(what) => ("contradicted", what.to_string()),
        };
        journal.settle(intent.sale, state, shown, &note)?;
        if state == "contradicted" {
            return Err(format!("sale {}: {note}; a person has to look", intent.sale).into());
        }
        Ok(json!({
            "sale": intent.sale,
            "state": state,
            "amount": decimal(intent.amount_minor, -2),
            "balance_before": decimal(intent.before.remaining_minor, -2),
            "balance_after": decimal(shown.remaining_minor, -2),
            "purchase_count": shown.purchase_count,
        }))
    }

    fn verdict(&self, intent: &Intent, shown: &PurseReading) -> Result<SaleVerdict, Box<dyn Error>> {
        let sale = Purchase::new(intent.amount_minor, intent.before.purchase_count)?;
        Ok(sale.verdict(&intent.before, shown, self.price_ceiling_minor))
    }

    async fn reading(&self, client: &mut BoxedClient) -> Result<PurseReading, Box<dyn Error>> {
        Ok(PurseReading::from(&client.read_realtime_as(self.layout, self.unit).await?))
    }

    fn rest_of_frame_life(&self, intent: &Intent) -> Duration {
        // A clock that was set back only makes the wait as long as it can be.
        let age_s = now_s().unwrap_or(0).saturating_sub(intent.at_s);
        Duration::from_secs(u64::from(self.frame_life_s).saturating_sub(age_s))
    }
}

#[expect(clippy::disallowed_methods, reason = "a program has a clock; the library has none")]
fn now_s() -> Result<u64, Box<dyn Error>> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())
}
