//! stub
use crate::site::Site;
use prepay_core::{id::AccountId, settlement::{PriceRequest, Priced, Pricer, PricerRefusal}};
use std::collections::HashMap;
/// stub
#[derive(Debug)]
pub struct Pricing;
/// stub
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct PricingError;
/// stub
#[derive(Debug)]
pub struct OnMeter {
    /// p
    pub prices: Option<meter_protocol::acrel::MicroPrices>,
    /// d
    pub day: Option<Vec<meter_protocol::acrel::Slot>>,
}
impl Pricing {
    /// stub
    pub fn new(_s: &Site, _a: &HashMap<String, i64>) -> Result<Self, PricingError> { Ok(Self) }
    /// stub
    pub fn on_meter(&self, _t: &str, _p: Option<u8>, _m: bool) -> Result<OnMeter, PricingError> { Ok(OnMeter{ prices: Some(meter_protocol::acrel::MicroPrices{spike:880000,peak:880000,flat:880000,valley:880000}), day: None }) }
    /// stub
    pub fn hint(&self, _t: &str) -> Result<u32, PricingError> { Ok(8000) }
    /// stub
    pub fn tenant_of(&self, _a: AccountId) -> Option<&str> { None }
}
impl Pricer for Pricing {
    fn price(&self, _r: &PriceRequest<'_>) -> Result<Priced, PricerRefusal> {
        let b = _r.state.as_bytes();
        let before = if b.is_empty() { 0u64 } else { u64::from_be_bytes(b.try_into().unwrap()) };
        let total = before + _r.usage.total_centi_kwh;
        Ok(Priced { cumulative: rust_decimal::Decimal::from(total) * rust_decimal::Decimal::new(88, 4), cumulative_tax: rust_decimal::Decimal::ZERO, tariff_version: 1, state: prepay_core::settlement::PricerState::new(total.to_be_bytes().to_vec()).unwrap() })
    }
}
