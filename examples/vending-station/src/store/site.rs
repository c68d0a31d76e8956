//! The site in the store: what an import puts there and the station starts from.

use super::{Store, StoreError, from_json, json};
use crate::site::model::{
    Building, Collector, Gateway, Line, Meter, Model, Purse, Settings, Site, TariffEntry, Tenant,
};
use sqlx::{Any, Row, Transaction, any::AnyRow};

/// Why an import can't take place. Nothing of it is stored then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A field on which booked money stands would change.
    #[error(
        "{kind} `{code}`: `{field}` is `{stored}` in the station and `{given}` in the file; it can't change while the account is open"
    )]
    MoneyStandsOnIt {
        /// Kind of record.
        kind: &'static str,
        /// Its code.
        code: String,
        /// The field.
        field: &'static str,
        /// What the station has.
        stored: String,
        /// What the file says.
        given: String,
    },
    /// The file and what the station has already don't go together.
    #[error("meter `{number}`: {reason}")]
    Conflict {
        /// The meter.
        number: String,
        /// Why not.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ImportError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// Records of the file.
    pub records: usize,
    /// Records of the station that the file doesn't name; they stay as they are.
    pub untouched: usize,
}

/// Stores the whole site in one transaction: new records are added, known ones updated.
///
/// # Errors
/// [`ImportError::MoneyStandsOnIt`] when an open account's purse, tariff or meter, or the currency, would change.
pub async fn import(store: &Store, site: &Site) -> Result<Imported, ImportError> {
    let mut tx = store.begin().await?;
    if let Some(stored) = load_in(&mut tx).await? {
        refuse_changes_under_money(&stored, site, any_account(&mut tx).await?)?;
        refuse_conflicts(&stored, site)?;
    }
    sqlx::query(
        "INSERT INTO site (id, settings) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET settings = excluded.settings",
    )
    .bind(json(&site.settings)?)
    .execute(&mut *tx)
    .await?;
    for (position, building) in (0_i64..).zip(&site.buildings) {
        sqlx::query(
            "INSERT INTO building (code, position, name) VALUES ($1, $2, $3)
             ON CONFLICT (code) DO UPDATE SET position = excluded.position, name = excluded.name",
        )
        .bind(&building.code)
        .bind(position)
        .bind(&building.name)
        .execute(&mut *tx)
        .await?;
    }
    for collector in &site.collectors {
        sqlx::query(
            "INSERT INTO collector (code, key_file) VALUES ($1, $2)
             ON CONFLICT (code) DO UPDATE SET key_file = excluded.key_file",
        )
        .bind(&collector.code)
        .bind(&collector.key_file)
        .execute(&mut *tx)
        .await?;
    }
    for gateway in &site.gateways {
        sqlx::query(
            "INSERT INTO gateway (code, building, address, collector) VALUES ($1, $2, $3, $4)
             ON CONFLICT (code) DO UPDATE SET building = excluded.building, address = excluded.address,
                 collector = excluded.collector",
        )
        .bind(&gateway.code)
        .bind(&gateway.building)
        .bind(&gateway.address)
        .bind(&gateway.collector)
        .execute(&mut *tx)
        .await?;
    }
    for bus in &site.buses {
        sqlx::query(
            "INSERT INTO bus (code, gateway, baud) VALUES ($1, $2, $3)
             ON CONFLICT (code) DO UPDATE SET gateway = excluded.gateway, baud = excluded.baud",
        )
        .bind(&bus.code)
        .bind(&bus.gateway)
        .bind(i64::from(bus.baud))
        .execute(&mut *tx)
        .await?;
    }
    for tariff in &site.tariffs {
        sqlx::query(
            "INSERT INTO tariff (code, document) VALUES ($1, $2)
             ON CONFLICT (code) DO UPDATE SET document = excluded.document",
        )
        .bind(&tariff.code)
        .bind(json(&tariff.document)?)
        .execute(&mut *tx)
        .await?;
    }
    for tenant in &site.tenants {
        sqlx::query(
            "INSERT INTO tenant (id, code, name, trade, building, floor, tariff, purse, alarm_1_minor, alarm_2_minor, opening_minor)
             VALUES ((SELECT coalesce(max(id), 0) + 1 FROM tenant), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (code) DO UPDATE SET name = excluded.name, trade = excluded.trade, building = excluded.building,
                 floor = excluded.floor, tariff = excluded.tariff, purse = excluded.purse,
                 alarm_1_minor = excluded.alarm_1_minor, alarm_2_minor = excluded.alarm_2_minor,
                 opening_minor = excluded.opening_minor",
        )
        .bind(&tenant.code)
        .bind(&tenant.name)
        .bind(&tenant.trade)
        .bind(&tenant.building)
        .bind(&tenant.floor)
        .bind(&tenant.tariff)
        .bind(purse_word(tenant.purse))
        .bind(tenant.alarm_1_minor)
        .bind(tenant.alarm_2_minor)
        .bind(tenant.opening_minor)
        .execute(&mut *tx)
        .await?;
    }
    // Meters may change places with each other, so all of them leave theirs first.
    sqlx::query("DROP INDEX meter_place").execute(&mut *tx).await?;
    for meter in &site.meters {
        sqlx::query(
            "INSERT INTO meter (number, bus, unit, model, tenant, purpose, peak_w) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (number) DO UPDATE SET bus = excluded.bus, unit = excluded.unit, model = excluded.model,
                 tenant = excluded.tenant, purpose = excluded.purpose, peak_w = excluded.peak_w",
        )
        .bind(&meter.number)
        .bind(&meter.bus)
        .bind(i64::from(meter.unit))
        .bind(model_word(meter.model))
        .bind(&meter.tenant)
        .bind(&meter.purpose)
        .bind(i64::from(meter.peak_w))
        .execute(&mut *tx)
        .await?;
    }
    sqlx::query("CREATE UNIQUE INDEX meter_place ON meter (bus, unit)").execute(&mut *tx).await?;
    let stored = load_in(&mut tx).await?.map_or(0, |site| records(&site));
    tx.commit().await?;
    Ok(Imported { records: records(site), untouched: stored.saturating_sub(records(site)) })
}

/// The site as it is stored; none before the first import.
///
/// # Errors
/// [`StoreError::Damaged`] when a row can't be read back.
pub async fn load(store: &Store) -> Result<Option<Site>, StoreError> {
    let mut tx = store.readers().begin().await?;
    load_in(&mut tx).await
}

/// Whether any account is open.
pub async fn any_open(store: &Store) -> Result<bool, StoreError> {
    let mut tx = store.writer().begin().await?;
    any_account(&mut tx).await
}

/// The account number of each tenant.
pub async fn account_ids(store: &Store) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = sqlx::query("SELECT code, id FROM tenant ORDER BY id").fetch_all(store.readers()).await?;
    rows.iter().map(|row| Ok((row.try_get("code")?, row.try_get("id")?))).collect()
}

fn records(site: &Site) -> usize {
    site.buildings.len()
        + site.collectors.len()
        + site.gateways.len()
        + site.buses.len()
        + site.tariffs.len()
        + site.tenants.len()
        + site.meters.len()
}

async fn any_account(tx: &mut Transaction<'_, Any>) -> Result<bool, StoreError> {
    Ok(sqlx::query("SELECT 1 FROM account LIMIT 1").fetch_optional(&mut **tx).await?.is_some())
}

/// What stays and what comes: one meter an address, one meter a tenant.
fn refuse_conflicts(stored: &Site, given: &Site) -> Result<(), ImportError> {
    let staying = stored.meters.iter().filter(|was| given.meters.iter().all(|is| is.number != was.number));
    for was in staying {
        let conflict = |reason| Err(ImportError::Conflict { number: was.number.clone(), reason });
        for is in &given.meters {
            if (&is.bus, is.unit) == (&was.bus, was.unit) {
                return conflict(format!(
                    "it stays at unit {} of bus `{}`, where the file puts `{}`",
                    is.unit, is.bus, is.number
                ));
            }
            if is.tenant.is_some() && is.tenant == was.tenant {
                let tenant = is.tenant.as_deref().unwrap_or_default();
                return conflict(format!(
                    "it stays the meter of tenant `{tenant}`, whom the file gives `{}`",
                    is.number
                ));
            }
        }
    }
    Ok(())
}

/// Prices, purses and meters of open accounts are changed by orders that settle the money first, not by an import.
fn refuse_changes_under_money(stored: &Site, given: &Site, accounts_open: bool) -> Result<(), ImportError> {
    if !accounts_open {
        return Ok(());
    }
    let differ = |kind, code: &str, field, stored: &dyn ToString, given: &dyn ToString| {
        let (stored, given) = (stored.to_string(), given.to_string());
        if stored == given {
            return Ok(());
        }
        Err(ImportError::MoneyStandsOnIt { kind, code: code.to_owned(), field, stored, given })
    };
    let (was, is) = (&stored.settings, &given.settings);
    differ("site", &is.name, "currency", &was.currency, &is.currency)?;
    differ("site", &is.name, "currency_places", &was.currency_places, &is.currency_places)?;
    differ("site", &is.name, "utc_offset_min", &was.utc_offset_min, &is.utc_offset_min)?;
    for tariff in &given.tariffs {
        if let Some(was) = stored.tariffs.iter().find(|was| was.code == tariff.code) {
            differ("tariff", &tariff.code, "document", &json(&was.document)?, &json(&tariff.document)?)?;
        }
    }
    for tenant in &given.tenants {
        if let Some(was) = stored.tenant(&tenant.code) {
            differ("tenant", &tenant.code, "purse", &purse_word(was.purse), &purse_word(tenant.purse))?;
            differ("tenant", &tenant.code, "tariff", &was.tariff, &tenant.tariff)?;
            differ("tenant", &tenant.code, "alarm_1", &was.alarm_1_minor, &tenant.alarm_1_minor)?;
            differ("tenant", &tenant.code, "alarm_2", &was.alarm_2_minor, &tenant.alarm_2_minor)?;
            differ("tenant", &tenant.code, "opening_credit", &was.opening_minor, &tenant.opening_minor)?;
        }
    }
    let shop = |meter: &Meter| meter.tenant.clone().unwrap_or_default();
    for meter in &given.meters {
        if let Some(was) = stored.meters.iter().find(|was| was.number == meter.number) {
            differ("meter", &meter.number, "tenant", &shop(was), &shop(meter))?;
            differ("meter", &meter.number, "model", &model_word(was.model), &model_word(meter.model))?;
        }
    }
    Ok(())
}

async fn load_in(tx: &mut Transaction<'_, Any>) -> Result<Option<Site>, StoreError> {
    let Some(row) = sqlx::query("SELECT settings FROM site WHERE id = 1").fetch_optional(&mut **tx).await? else {
        return Ok(None);
    };
    let settings: Settings = from_json("site", "1", &row.try_get::<String, _>("settings")?)?;
    let rows = sqlx::query("SELECT code, name FROM building ORDER BY position, code").fetch_all(&mut **tx).await?;
    let buildings = map(&rows, |row| Ok(Building { code: row.try_get("code")?, name: row.try_get("name")? }))?;
    let rows = sqlx::query("SELECT code, key_file FROM collector ORDER BY code").fetch_all(&mut **tx).await?;
    let collectors =
        map(&rows, |row| Ok(Collector { code: row.try_get("code")?, key_file: row.try_get("key_file")? }))?;
    let rows = sqlx::query("SELECT code, building, address, collector FROM gateway ORDER BY code")
        .fetch_all(&mut **tx)
        .await?;
    let gateways = map(&rows, |row| {
        Ok(Gateway {
            code: row.try_get("code")?,
            building: row.try_get("building")?,
            address: row.try_get("address")?,
            collector: row.try_get("collector")?,
        })
    })?;
    let rows = sqlx::query("SELECT code, gateway, baud FROM bus ORDER BY code").fetch_all(&mut **tx).await?;
    let buses = map(&rows, |row| {
        Ok(Line { code: row.try_get("code")?, gateway: row.try_get("gateway")?, baud: narrow("bus", row, "baud")? })
    })?;
    let rows = sqlx::query("SELECT code, document FROM tariff ORDER BY code").fetch_all(&mut **tx).await?;
    let tariffs = map(&rows, |row| {
        let code: String = row.try_get("code")?;
        let document = from_json("tariff", &code, &row.try_get::<String, _>("document")?)?;
        Ok(TariffEntry { code, document })
    })?;
    let rows = sqlx::query("SELECT * FROM tenant ORDER BY id").fetch_all(&mut **tx).await?;
    let tenants = map(&rows, |row| {
        let code: String = row.try_get("code")?;
        let purse = match row.try_get::<&str, _>("purse")? {
            "meter" => Purse::Meter,
            "station" => Purse::Station,
            other => return Err(StoreError::damaged("tenant", &code, format!("purse `{other}`"))),
        };
        Ok(Tenant {
            code,
            name: row.try_get("name")?,
            trade: row.try_get("trade")?,
            building: row.try_get("building")?,
            floor: row.try_get("floor")?,
            tariff: row.try_get("tariff")?,
            purse,
            alarm_1_minor: row.try_get("alarm_1_minor")?,
            alarm_2_minor: row.try_get("alarm_2_minor")?,
            opening_minor: row.try_get("opening_minor")?,
        })
    })?;
    let rows = sqlx::query("SELECT * FROM meter ORDER BY bus, unit").fetch_all(&mut **tx).await?;
    let meters = map(&rows, |row| {
        let number: String = row.try_get("number")?;
        let model = match row.try_get::<&str, _>("model")? {
            "DTSY1352-NK" => Model::Dtsy1352,
            "DDSY1352-NK" => Model::Ddsy1352,
            other => return Err(StoreError::damaged("meter", &number, format!("model `{other}`"))),
        };
        Ok(Meter {
            number,
            bus: row.try_get("bus")?,
            unit: narrow("meter", row, "unit")?,
            model,
            tenant: row.try_get("tenant")?,
            purpose: row.try_get("purpose")?,
            peak_w: narrow("meter", row, "peak_w")?,
        })
    })?;
    Ok(Some(Site { settings, buildings, collectors, gateways, buses, tariffs, tenants, meters }))
}

fn map<T>(rows: &[AnyRow], one: impl FnMut(&AnyRow) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
    rows.iter().map(one).collect()
}

fn narrow<T: TryFrom<i64>>(table: &'static str, row: &AnyRow, column: &'static str) -> Result<T, StoreError> {
    let value: i64 = row.try_get(column)?;
    T::try_from(value).map_err(|_| StoreError::damaged(table, column, format!("{value} is out of range")))
}

fn purse_word(purse: Purse) -> &'static str {
    match purse {
        Purse::Meter => "meter",
        Purse::Station => "station",
    }
}

fn model_word(model: Model) -> &'static str {
    match model {
        Model::Dtsy1352 => "DTSY1352-NK",
        Model::Ddsy1352 => "DDSY1352-NK",
    }
}
