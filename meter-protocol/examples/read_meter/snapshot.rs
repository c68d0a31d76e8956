//! A realtime block as JSON, decimals as strings.

use meter_protocol::acrel::{ForceMode, MeterNumber, Realtime};
use meter_protocol::map::Number;
use serde_json::{Value, json};

pub(crate) fn of(unit: u8, number: Option<MeterNumber>, now: &Realtime) -> Value {
    let energy = now.energy;
    let (clock, clock_error) = match now.clock {
        Ok(clock) => (Some(clock.to_string()), None),
        Err(error) => (None, Some(error.to_string())),
    };
    json!({
        "unit": unit,
        "meter_number": number.map(|number| number.to_string()),
        "model": now.model.name(),
        "model_code": now.model.code(),
        "energy_total_kwh": decimal(energy.total_centikwh, -2),
        "energy_spike_kwh": decimal(energy.spike_centikwh, -2),
        "energy_peak_kwh": decimal(energy.peak_centikwh, -2),
        "energy_flat_kwh": decimal(energy.flat_centikwh, -2),
        "energy_valley_kwh": decimal(energy.valley_centikwh, -2),
        "energy_deep_valley_kwh": energy.deep_valley_centikwh.map(|energy| decimal(energy, -2)),
        "balance": decimal(now.remaining_minor, -2),
        "base_free": decimal(now.base_free_minor, -2),
        "purchase_count": now.purchase_count,
        "relay_closed": now.status_1.relay_closed(),
        "forced": now.status_1.forced(),
        "arrears": now.status_1.arrears(),
        "alarm_1": now.status_1.alarm_1(),
        "alarm_2": now.status_1.alarm_2(),
        "overload": now.status_1.overload(),
        "fault": now.status_1.fault(),
        "prepaid_enabled": now.status_2.prepaid_enabled(),
        "voltage_v": now.voltage_decivolt.map(|value| decimal(value, -1)),
        "current_a": now.current_centiampere.map(|value| decimal(value, -2)),
        "active_power_kw": decimal(now.active_power_total_w, -3),
        "reactive_power_kvar": decimal(now.reactive_power_total_var, -3),
        "power_factor": decimal(now.power_factor_total_permille, -3),
        "pt_ratio": now.pt_ratio,
        "ct_ratio": now.ct_ratio,
        "load_trips": now.load_trip_count,
        "load_trips_allowed": now.load_trip_allowed_count,
        "clock": clock,
        "clock_error": clock_error,
    })
}

/// An integer of steps as the exact decimal.
pub(crate) fn decimal(steps: impl Into<i128>, scale: i8) -> String {
    Number::new(steps.into(), scale).to_string()
}

pub(crate) const fn force_name(mode: ForceMode) -> &'static str {
    match mode {
        ForceMode::Prepaid => "prepaid",
        ForceMode::SupplyOn => "on",
        ForceMode::SupplyOff => "off",
    }
}
