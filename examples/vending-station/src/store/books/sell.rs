//! Sales at the till: one a key, whatever is asked how often.

use super::{BooksError, CHANNELS, Sell, SellError, rows::Rows, writer::Writer};
use prepay_core::{
    account::{Command, Effect, Payment, Purse},
    id::{ChannelId, MeterNumber, OperatorId, SaleId},
    ledger::{BodyHash, Key, KeyRecord, Keyed},
    money::Money,
    persist::Withheld,
};
use serde::{Deserialize, Serialize};

/// The demonstration's till. Operators with names come with access control.
const TILL: OperatorId = OperatorId(1);

/// The stored answer to a request to sell.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SellAnswer {
    Sale(i64),
    Refused(String),
}

/// A stored record of a key.
pub(super) type SellRecord = KeyRecord<SellAnswer>;

impl Writer {
    pub(super) async fn sell(
        &mut self,
        sell: &Sell,
        rows: &mut Rows,
    ) -> (Result<i64, SellError>, Option<Withheld<Vec<Effect>>>) {
        let key = Key::new("till", &sell.key);
        let prior = match rows.prior(self.store.writer(), &key).await {
            Ok(prior) => prior,
            Err(error) => return (Err(SellError::Store(BooksError::Store(error.to_string()))), None),
        };
        let sale = self.state.last_sale + 1;
        let outcome = key.run(
            BodyHash::of(&sell.body),
            prior.as_ref(),
            || self.request(sell, sale, rows).map(|effects| (effects, SellAnswer::Sale(sale))),
            |refusal| SellAnswer::Refused(refusal.clone()),
        );
        match outcome {
            Keyed::Created { changes, record } => {
                self.state.last_sale = sale;
                rows.key(record, self.clock.utc_s());
                (Ok(sale), Some(changes))
            }
            Keyed::Refused { error, record } => {
                rows.key(record, self.clock.utc_s());
                (Err(SellError::Refused(error)), None)
            }
            Keyed::Replayed(SellAnswer::Sale(sale)) | Keyed::Burned(SellAnswer::Sale(sale)) => (Ok(sale), None),
            Keyed::Replayed(SellAnswer::Refused(reason)) | Keyed::Burned(SellAnswer::Refused(reason)) => {
                (Err(SellError::Refused(reason)), None)
            }
            Keyed::OtherBody { .. } => (Err(SellError::OtherBody), None),
        }
    }

    fn request(&mut self, sell: &Sell, sale: i64, rows: &mut Rows) -> Result<Withheld<Vec<Effect>>, String> {
        let channel = CHANNELS.iter().find(|(word, _)| *word == sell.channel).map(|(_, id)| ChannelId(*id));
        let channel = channel.ok_or_else(|| {
            let words: Vec<&str> = CHANNELS.iter().map(|(word, _)| *word).collect();
            format!("`channel` is `{}`; expected one of {}", sell.channel, words.join(", "))
        })?;
        let account = self.state.accounts.get(&sell.account).filter(|account| account.terms().is_some());
        let account = account.ok_or_else(|| format!("account {} is not open yet", sell.account.0))?;
        if self.state.unproved.contains(&sell.account) {
            return Err(format!(
                "the books were restored from a backup; account {} takes no sale before its meter was read",
                sell.account.0
            ));
        }
        let in_meter = account.terms().is_some_and(|terms| terms.purse == Purse::InMeter);
        let meter: Option<MeterNumber> =
            if in_meter { account.meters().first().map(prepay_core::account::MeterState::number) } else { None };
        let command = Command::RequestSale {
            sale: SaleId(sale.unsigned_abs()),
            meter,
            amount: Money::from_minor(sell.amount_minor),
            payment: Payment::Channel(channel),
            operator: TILL,
        };
        self.decide(sell.account, &command, rows).map_err(|error| error.to_string())
    }
}
