//! A site of any size as the text of a site file.

use super::SimulateError;
use meter_protocol::virtual_meter::METERS_MAX;
use std::{fmt::Write, net::SocketAddr};

/// Most gateways of a new site, each with one line.
const GATEWAYS_MAX: usize = 1_024;
/// Gateways of one building.
const GATEWAYS_A_BUILDING: usize = 16;
/// The number of the first meter.
const FIRST_NUMBER: u64 = 260_000_000_001;
/// The businesses, in turn.
const TRADES: [&str; 7] = ["restaurant", "supermarket", "clothes", "cinema", "office", "cafe", "gym"];

/// How large, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Meters, each with a shop, shared out evenly.
    pub meters: usize,
    /// Gateways, each with one line.
    pub gateways: usize,
    /// Where the first gateway listens; the others follow on the next ports.
    pub first: SocketAddr,
}

impl Size {
    fn check(&self) -> Result<(), SimulateError> {
        let within = |field, value, least, most| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(SimulateError::Size { field, value, least, most })
            }
        };
        within("gateways", self.gateways, 1, GATEWAYS_MAX)?;
        within("meters", self.meters, self.gateways, self.gateways * METERS_MAX)?;
        let last_port = usize::from(u16::MAX) - (self.gateways - 1);
        within("first port", usize::from(self.first.port()), 1, last_port)
    }
}

/// The text of a site file: houses, gateways, one line each, shops with their purse in the meter, two tariffs.
pub(super) fn text(size: &Size) -> Result<String, SimulateError> {
    size.check()?;
    let mut text = String::from(HEAD);
    let mut line = |arguments: std::fmt::Arguments<'_>| {
        // Writing to a string can't fail.
        let _ = text.write_fmt(arguments);
    };
    let house = |gateway: usize| gateway / GATEWAYS_A_BUILDING + 1;
    line(format_args!("\nbuilding = [\n"));
    for house in 1..=house(size.gateways - 1) {
        line(format_args!("    {{ code = \"H{house}\", name = \"House {house}\" }},\n"));
    }
    line(format_args!("]\n\ngateway = [\n"));
    for (gateway, port) in (0..size.gateways).zip(size.first.port()..) {
        let (address, house, code) = (SocketAddr::new(size.first.ip(), port), house(gateway), gateway + 1);
        line(format_args!("    {{ code = \"G{code}\", building = \"H{house}\", address = \"{address}\" }},\n"));
    }
    line(format_args!("]\n\nbus = [\n"));
    for code in 1..=size.gateways {
        line(format_args!("    {{ code = \"L{code}\", gateway = \"G{code}\", baud = 9600 }},\n"));
    }
    line(format_args!("]\n\ntenant = [\n"));
    for meter in 0..size.meters {
        let (code, house, floor) = (meter + 1, house(meter % size.gateways), meter / size.gateways % 5 + 1);
        let trade = TRADES[meter % TRADES.len()];
        let tariff = if meter % 2 == 0 { "flat" } else { "tou" };
        line(format_args!(
            "    {{ code = \"S{code}\", name = \"Shop {code}\", trade = \"{trade}\", building = \"H{house}\", floor = \"{floor}F\", \
             tariff = \"{tariff}\", purse = \"meter\", alarm_1 = \"50.00\", alarm_2 = \"15.00\" }},\n"
        ));
    }
    line(format_args!("]\n\nmeter = [\n"));
    for (meter, number) in (0..size.meters).zip(FIRST_NUMBER..) {
        let (bus, unit, code) = (meter % size.gateways + 1, meter / size.gateways + 1, meter + 1);
        let (model, peak_w) = if meter % 3 == 0 { ("DDSY1352-NK", 2_000) } else { ("DTSY1352-NK", 9_000) };
        line(format_args!(
            "    {{ number = \"{number}\", bus = \"L{bus}\", unit = {unit}, model = \"{model}\", tenant = \"S{code}\", peak_w = {peak_w} }},\n"
        ));
    }
    line(format_args!("]\n"));
    text.push_str(TARIFFS);
    Ok(text)
}

const HEAD: &str = r#"# A virtual site. `vending-station simulate` plays its meters; `vending-station import` loads it.

site.name = "Virtual site"
site.currency = "CNY"
site.utc_offset_min = 480
site.price_places = 4
site.equal_count = "acknowledged"
site.rate_codes_from_one = true
"#;

const TARIFFS: &str = r#"
[[tariff]]
code = "flat"
[tariff.document]
schema = 1
name = "Flat"
zone = "+08:00"
[[tariff.document.versions]]
from = "2026-01-01"
energy.rates = [{ name = "flat", price = "0.8821" }]

[[tariff]]
code = "tou"
[tariff.document]
schema = 1
name = "Time of use"
zone = "+08:00"
[[tariff.document.versions]]
from = "2026-01-01"
[tariff.document.versions.energy]
rates = [
    { name = "spike", price = "1.2764" },
    { name = "peak", price = "1.0637" },
    { name = "flat", price = "0.6382" },
    { name = "valley", price = "0.2871" },
]
periods = [
    { rate = "valley", from = "00:00", to = "08:00" },
    { rate = "peak", from = "08:00", to = "10:00" },
    { rate = "spike", from = "10:00", to = "12:00" },
    { rate = "flat", from = "12:00", to = "17:00" },
    { rate = "peak", from = "17:00", to = "21:00" },
    { rate = "flat", from = "21:00", to = "24:00" },
]
"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn size(meters: usize, gateways: usize, port: u16) -> Size {
        Size { meters, gateways, first: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    #[test]
    fn a_new_site_is_right_and_has_its_size() {
        for (meters, gateways) in [(1, 1), (33, 2), (5_407, 224)] {
            let text = text(&size(meters, gateways, 20_000)).unwrap();
            let checked = crate::site::from_toml("new", &text).unwrap();
            assert!(checked.warnings.is_empty(), "{:?}", checked.warnings);
            let site = checked.site;
            assert_eq!((site.meters.len(), site.tenants.len(), site.buses.len()), (meters, meters, gateways));
            assert!(site.meters.iter().all(|meter| meter.tenant.is_some()));
        }
    }

    #[test]
    fn what_is_no_size_says_why() {
        let most = METERS_MAX;
        for (size, field) in [
            (size(1, 0, 20_000), "gateways"),
            (size(2, 1_025, 20_000), "gateways"),
            (size(1, 2, 20_000), "meters"),
            (size(most + 1, 1, 20_000), "meters"),
            (size(4, 2, 65_535), "first port"),
            (size(4, 2, 0), "first port"),
        ] {
            let error = text(&size).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }
}
