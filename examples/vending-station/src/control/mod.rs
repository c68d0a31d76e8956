//! Remote commands: what is asked, on which meters, and the task that works it off.

mod runner;

pub use runner::Runner;

use crate::{
    api::views::{Scale, TileView},
    site::Site,
    store::{
        Store, StoreError,
        books::Switch,
        commands::{self, BatchRow, Created, TargetRow},
        from_json, json,
        read::{self, MeterRow},
    },
};
use prepay_core::id::{IdError, Reason};
use serde::{Deserialize, Serialize};

/// The most meters of one request.
pub const TARGETS_MAX: usize = 10_000;

/// What can be done to meters from afar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Supply on, whatever the credit (保电).
    KeepPower,
    /// Back to the prepaid rules (恢复预付费).
    RestorePrepaid,
    /// Supply off (拉闸).
    ForceOff,
    /// People work on the line: off, and no close by anybody (检修挂牌).
    WorkTag,
    /// They are done (摘牌).
    LiftTag,
    /// Read now.
    ReadNow,
}

impl Kind {
    /// All of them with their words: code, English, Chinese.
    pub const ALL: [(Self, &'static str, &'static str, &'static str); 6] = [
        (Self::KeepPower, "keep_power", "Keep power", "保电"),
        (Self::RestorePrepaid, "restore_prepaid", "Restore prepaid", "恢复预付费"),
        (Self::ForceOff, "force_off", "Force off", "拉闸"),
        (Self::WorkTag, "work_tag", "Work tag", "检修挂牌"),
        (Self::LiftTag, "lift_tag", "Lift work tag", "摘牌"),
        (Self::ReadNow, "read_now", "Read now", "立即抄表"),
    ];

    /// Its code.
    pub fn code(self) -> &'static str {
        Self::ALL.iter().find(|kind| kind.0 == self).map_or("", |kind| kind.1)
    }

    fn of(code: &str) -> Option<Self> {
        Self::ALL.iter().find(|kind| kind.1 == code).map(|kind| kind.0)
    }

    /// What it orders; none: it only reads.
    fn switch(self, administrator: bool) -> Option<Switch> {
        match self {
            Self::KeepPower => Some(Switch::KeepPower),
            Self::RestorePrepaid => Some(Switch::RestorePrepaid),
            Self::ForceOff => Some(Switch::ForceOff),
            Self::WorkTag => Some(Switch::PlaceTag),
            Self::LiftTag => Some(Switch::LiftTag { administrator }),
            Self::ReadNow => None,
        }
    }

    /// It may bring many loads back at once.
    fn restores(self) -> bool {
        matches!(self, Self::KeepPower | Self::RestorePrepaid | Self::LiftTag)
    }
}

/// Which meters. Every field that is given narrows the choice; none at all chooses nothing, `all` has to be said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Every meter of the site.
    pub all: bool,
    /// Building of the shop.
    pub building: Option<String>,
    /// Floor of the shop.
    pub floor: Option<String>,
    /// Gateway of the line.
    pub gateway: Option<String>,
    /// The line.
    pub bus: Option<String>,
    /// State of money, such as `arrears`.
    pub money: Option<String>,
    /// State of supply.
    pub supply: Option<String>,
    /// State of the link.
    pub link: Option<String>,
    /// Exactly these meters.
    pub meters: Option<Vec<String>>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What.
    pub kind: Kind,
    /// Which meters.
    pub select: Selection,
    /// Who asks.
    pub operator: u32,
    /// Asks as an administrator: may lift the work tag of somebody else.
    #[serde(default)]
    pub administrator: bool,
    /// Why.
    #[serde(default)]
    pub why: String,
    /// Until when an order stands, UTC seconds; none: until it is lifted.
    #[serde(default)]
    pub until_utc_s: Option<i64>,
}

/// Why a request is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Nothing is chosen.
    #[error("`select` chooses nothing; give a field, or `all`")]
    NoSelection,
    /// The choice is empty.
    #[error("no meter is like that")]
    NoMeter,
    /// More than one request can have.
    #[error("{count} meters are chosen; the limit is {TARGETS_MAX}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// A number that is no meter of the site.
    #[error("`meters` names {number}, which the site does not have")]
    UnknownMeter {
        /// The number.
        number: String,
    },
    /// The reason.
    #[error("`why`: {0}")]
    Why(#[from] IdError),
    /// A time that is over.
    #[error("`until_utc_s` is {until_utc_s}, which is over; it is {now_utc_s} now")]
    UntilOver {
        /// What was given.
        until_utc_s: i64,
        /// What it is.
        now_utc_s: i64,
    },
    /// The key.
    #[error("the key was used for another request")]
    OtherRequest,
    /// No such batch.
    #[error("there is no batch {0}")]
    NoBatch(i64),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who would be hit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Meters.
    pub meters: usize,
    /// Shops among them.
    pub shops: usize,
    /// Power at their last readings, W.
    pub power_w: i64,
    /// Meters without a shop: they are read, but nobody orders their supply.
    pub without_account: usize,
    /// Shops that are under a work tag.
    pub tagged: usize,
    /// The shops' codes and names with their power in W, in the order of their accounts.
    pub shops_hit: Vec<(String, String, i64)>,
}

/// Tells who would be hit, and does nothing.
///
/// # Errors
/// [`ControlError`].
pub async fn preview(store: &Store, site: &Site, request: &Request, scale: Scale) -> Result<Preview, ControlError> {
    let rows = chosen(store, site, request, scale).await?;
    let power = |row: &MeterRow| row.latest.as_ref().map_or(0, |latest| latest.power_w);
    let shops = rows.iter().filter_map(|row| Some((row.shop.as_ref()?, power(row))));
    let shops_hit: Vec<_> = shops.map(|(shop, power)| (shop.code.clone(), shop.name.clone(), power)).collect();
    let tagged = |row: &&MeterRow| TileView::new(row, scale).is_some_and(|tile| tile.supply == "work_tag");
    Ok(Preview {
        meters: rows.len(),
        shops: shops_hit.len(),
        power_w: rows.iter().map(power).sum(),
        without_account: rows.iter().filter(|row| row.shop.is_none()).count(),
        tagged: rows.iter().filter(tagged).count(),
        shops_hit,
    })
}

/// The batch that a key was used for, if it asked the same. It is looked for first: what a request chose by may be different
/// when it comes again.
async fn replayed(
    store: &Store,
    key: &str,
    is_same: impl FnOnce(&Request) -> bool,
) -> Result<Option<i64>, ControlError> {
    let Some(known) = commands::of_key(store, key).await? else { return Ok(None) };
    if is_same(&asked(&known)?) { Ok(Some(known.id)) } else { Err(ControlError::OtherRequest) }
}

/// What a batch was asked with.
fn asked(batch: &BatchRow) -> Result<Request, StoreError> {
    from_json("batch", &batch.id.to_string(), &batch.request)
}

/// Takes a request: it is durable when this returns, and is worked off by the [`Runner`].
///
/// # Errors
/// [`ControlError`]; nothing is stored then.
pub async fn take(store: &Store, site: &Site, key: &str, request: &Request, scale: Scale) -> Result<i64, ControlError> {
    if let Some(id) = replayed(store, key, |known| known == request).await? {
        return Ok(id);
    }
    let rows = chosen(store, site, request, scale).await?;
    let targets = rows.iter().map(|row| TargetRow {
        meter: row.number.clone(),
        account: row.shop.as_ref().map_or(0, |shop| shop.account),
        power_w: row.latest.as_ref().map_or(0, |latest| latest.power_w),
        state: String::new(),
        version: 0,
        reason: String::new(),
        changed_utc_s: 0,
    });
    create(store, key, request, scale, &targets.collect::<Vec<_>>()).await
}

/// The meters of a batch that were refused, not reached or are unknown, once more as a batch of their own.
///
/// # Errors
/// [`ControlError`]; nothing is stored then.
pub async fn retry(store: &Store, key: &str, batch: i64, scale: Scale) -> Result<i64, ControlError> {
    let row = commands::batch(store, batch).await?.ok_or(ControlError::NoBatch(batch))?;
    let request = asked(&row)?;
    let limit = i64::try_from(TARGETS_MAX).unwrap_or(i64::MAX);
    let mut failed = commands::targets(store, batch, None, limit).await?;
    // The same retry as before: the same request, for meters of this batch.
    let of_batch = |meter: &String| failed.iter().any(|target| target.meter == *meter);
    let is_same = |known: &Request| {
        known.select.meters.as_ref().is_some_and(|meters| meters.iter().all(of_batch))
            && *known == Request { select: known.select.clone(), ..request.clone() }
    };
    if let Some(id) = replayed(store, key, is_same).await? {
        return Ok(id);
    }
    failed.retain(|target| matches!(target.state.as_str(), "refused" | "not_reached" | "unknown"));
    // The new request names its meters, so that its own row says what it is.
    let meters = failed.iter().map(|target| target.meter.clone()).collect();
    let select = Selection { meters: Some(meters), ..Selection::default() };
    create(store, key, &Request { select, ..request }, scale, &failed).await
}

async fn create(
    store: &Store,
    key: &str,
    request: &Request,
    scale: Scale,
    targets: &[TargetRow],
) -> Result<i64, ControlError> {
    // An order needs a reason; a reading needs none.
    if request.kind != Kind::ReadNow {
        Reason::new(request.why.clone())?;
    }
    let now_utc_s = scale.now_utc_s;
    if let Some(until_utc_s) = request.until_utc_s.filter(|until| *until <= now_utc_s) {
        return Err(ControlError::UntilOver { until_utc_s, now_utc_s });
    }
    if targets.is_empty() {
        return Err(ControlError::NoMeter);
    }
    let row = BatchRow {
        id: 0,
        key: key.to_owned(),
        request: json(request)?,
        kind: request.kind.code().to_owned(),
        operator: i64::from(request.operator),
        administrator: request.administrator,
        why: request.why.clone(),
        until_utc_s: request.until_utc_s,
        state: String::new(),
        made_utc_s: now_utc_s,
    };
    match commands::create(store, &row, targets).await? {
        Created::New(id) | Created::Replayed(id) => Ok(id),
        Created::OtherRequest => Err(ControlError::OtherRequest),
    }
}

/// The meters that a request chooses.
async fn chosen(store: &Store, site: &Site, request: &Request, scale: Scale) -> Result<Vec<MeterRow>, ControlError> {
    let select = &request.select;
    if *select == Selection::default() {
        return Err(ControlError::NoSelection);
    }
    let mut rows = read::meters(store).await?;
    if let Some(unknown) = select.meters.iter().flatten().find(|number| rows.iter().all(|row| row.number != **number)) {
        return Err(ControlError::UnknownMeter { number: unknown.clone() });
    }
    rows.retain(|row| is_chosen(select, site, row, scale));
    match rows.len() {
        0 => Err(ControlError::NoMeter),
        count if count > TARGETS_MAX => Err(ControlError::TooMany { count }),
        _ => Ok(rows),
    }
}

fn is_chosen(select: &Selection, site: &Site, row: &MeterRow, scale: Scale) -> bool {
    let is =
        |wanted: &Option<String>, value: Option<&str>| wanted.as_deref().is_none_or(|wanted| value == Some(wanted));
    let gateway = site.buses.iter().find(|bus| bus.code == row.bus).map(|bus| bus.gateway.as_str());
    let shop = row.shop.as_ref();
    let tile = TileView::new(row, scale);
    is(&select.building, shop.map(|shop| shop.building.as_str()))
        && is(&select.floor, shop.map(|shop| shop.floor.as_str()))
        && is(&select.gateway, gateway)
        && is(&select.bus, Some(&row.bus))
        && is(&select.money, tile.as_ref().map(|tile| tile.money.as_str()))
        && is(&select.supply, tile.as_ref().map(|tile| tile.supply.as_str()))
        && is(&select.link, Some(row.link(scale.now_utc_s, scale.stale_after_s)))
        && select.meters.as_ref().is_none_or(|meters| meters.contains(&row.number))
}
