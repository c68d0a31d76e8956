//! The fleet that belongs to a site: what stands where, and what draws power behind it.

use super::{BusPlan, FleetError, FleetPlan, MeterPlan, Trade};
use crate::{
    pricing::Pricing,
    site::{
        Site,
        model::{self, Gateway, Purse},
    },
};
use meter_protocol::virtual_meter::{MeterOptions, Model};
use serde::{
    Deserialize,
    de::{IntoDeserializer, value::StrDeserializer},
};
use std::{collections::HashMap, net::SocketAddr};

impl FleetPlan {
    /// A plan with the meters of a site. `listen` says where a gateway's virtual one listens.
    pub(crate) fn of_site(
        site: &Site,
        seed: u64,
        start_utc_s: i64,
        listen: impl Fn(&Gateway) -> Result<SocketAddr, FleetError>,
    ) -> Result<Self, FleetError> {
        let pricing = Pricing::new(site, &HashMap::new())?;
        let gateways: HashMap<&str, &Gateway> = site.gateways.iter().map(|one| (one.code.as_str(), one)).collect();
        let tenants: HashMap<&str, &model::Tenant> = site.tenants.iter().map(|one| (one.code.as_str(), one)).collect();
        let places: HashMap<&str, usize> =
            site.buses.iter().zip(0..).map(|(one, at)| (one.code.as_str(), at)).collect();
        let buses = site.buses.iter().map(|bus| {
            let gateway = gateways.get(bus.gateway.as_str());
            let gateway = gateway.ok_or_else(|| FleetError::Unplayable {
                what: format!("bus {}", bus.code),
                reason: format!("gateway `{}` is missing", bus.gateway),
            })?;
            Ok(BusPlan { name: bus.code.clone(), listen: listen(gateway)?, baud: bus.baud })
        });
        let meters = site.meters.iter().map(|meter| {
            let unplayable =
                |reason: String| FleetError::Unplayable { what: format!("meter {}", meter.number), reason };
            let tenant = meter.tenant.as_deref().and_then(|code| tenants.get(code));
            let trade = match tenant {
                None => Trade::CommonServices,
                Some(tenant) => trade(&tenant.trade)
                    .ok_or_else(|| unplayable(format!("`{}` is no trade that has a virtual load", tenant.trade)))?,
            };
            let bus = places.get(meter.bus.as_str()).copied();
            let price_hint = match tenant {
                Some(tenant) => pricing.hint(&tenant.tariff, start_utc_s)?,
                None => 0,
            };
            Ok(MeterPlan {
                bus: bus.ok_or_else(|| unplayable(format!("bus `{}` is missing", meter.bus)))?,
                unit: meter.unit,
                number: meter.number.clone(),
                model: match meter.model {
                    model::Model::Dtsy1352 => Model::Dtsy1352,
                    model::Model::Ddsy1352 => Model::Ddsy1352,
                },
                trade,
                rated_w: u16::try_from(meter.peak_w)
                    .map_err(|_| unplayable(format!("peak_w {} is too high", meter.peak_w)))?,
                prepaid: tenant.is_some_and(|tenant| tenant.purse == Purse::Meter),
                price_hint_per_kwh: price_hint,
                alarm_1_hint_cents: tenant
                    .and_then(|tenant| u32::try_from(tenant.alarm_1_minor).ok())
                    .unwrap_or_default(),
            })
        });
        Ok(Self {
            seed,
            start_utc_s,
            utc_offset_min: site.settings.utc_offset_min,
            meter_options: MeterOptions::default(),
            buses: buses.collect::<Result<_, FleetError>>()?,
            meters: meters.collect::<Result<_, FleetError>>()?,
        })
    }
}

/// The trade that a word of the site file names.
fn trade(word: &str) -> Option<Trade> {
    let word: StrDeserializer<'_, serde::de::value::Error> = word.into_deserializer();
    Trade::deserialize(word).ok()
}
