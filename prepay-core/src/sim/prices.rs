//! The tariff of the simulated world: the meter's own prices, exact and cumulative.

use rust_decimal::Decimal;

use crate::settlement::{PriceRequest, Priced, Pricer, PricerRefusal, PricerState};

/// Prices by rate, in 0.0001 a kWh.
pub(super) const PRICES: [u32; 4] = [12_345, 10_001, 7_777, 3_883];

pub(super) struct Prices;

impl Pricer for Prices {
    fn price(&self, request: &PriceRequest<'_>) -> Result<Priced, PricerRefusal> {
        let bad = |_| PricerRefusal::BadState { reason: "not eight bytes".into() };
        let before = match request.state.as_bytes() {
            [] => 0,
            bytes => u64::from_be_bytes(bytes.try_into().map_err(bad)?),
        };
        let rates = request.usage.rates.as_slice().iter().zip(PRICES);
        let micro = before + rates.map(|(energy, price)| energy * u64::from(price)).sum::<u64>();
        Ok(Priced {
            cumulative: Decimal::from_i128_with_scale(i128::from(micro), 6),
            cumulative_tax: Decimal::ZERO,
            tariff_version: 1,
            state: PricerState::new(micro.to_be_bytes().to_vec())?,
        })
    }
}
