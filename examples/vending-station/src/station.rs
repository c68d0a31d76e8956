//! The station put together: store, books, lines.

use crate::{
    api::views::Scale,
    clock::WorldClock,
    collect::{
        commission::Wanted,
        desk::{self, AccountSetup, Asks, Desk, DeskSetup, MeterSetup, Mode, OrderIds},
        line::{self, Line, LineSetup},
        patience::Patience,
        setup,
    },
    control::Runner,
    pricing::{Pricing, PricingError},
    sealed::{
        door::{Door, RemoteLine},
        gate::{Gate, GateError},
        peer::PeerLine,
    },
    site::{
        Site,
        model::{self, EqualCount, Purse},
    },
    store::{
        Store, StoreError,
        books::{Books, State},
        keep, read, site as stored_site,
    },
    totals::Totals,
};
use meter_protocol::acrel::Model;
use prepay_core::{
    account::{MeterTerms, Terms},
    credit::Levels,
    id::{AccountId, MeterNumber},
    money::{Currency, Money},
    sale::EqualCountRule,
    settlement::RegisterLimits,
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, RwLock, mpsc, watch},
    task::JoinSet,
};

/// A register that advances faster than this many times the highest expected load is not believed.
const LOAD_MARGIN: u32 = 4;
/// How far the balance after a sale may be off from what prices and registers explain, minor units: one for the rounding
/// of the meter, one for each rate register.
const SALE_TOLERANCE_MINOR: i64 = 5;

/// How often old readings are looked for; sooner while a long stop is caught up.
const TIDY_EVERY: Duration = Duration::from_secs(3_600);
const TIDY_SOON: Duration = Duration::from_secs(60);

/// Why a station can't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StationError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing was imported yet.
    #[error("the station's file has no site; import one first")]
    NoSite,
    /// A tariff.
    #[error(transparent)]
    Pricing(#[from] PricingError),
    /// The lines.
    #[error(transparent)]
    Lines(#[from] setup::SetupError),
    /// The keys of the collectors.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// Nobody can come in.
    #[error("the site has lines behind collectors; say where the station takes their connections")]
    NoDoor,
    /// A value of the site that the core refuses.
    #[error("{what}: {reason}")]
    Setup {
        /// Which.
        what: String,
        /// Why.
        reason: String,
    },
}

impl StationError {
    fn setup(what: impl ToString, reason: impl ToString) -> Self {
        Self::Setup { what: what.to_string(), reason: reason.to_string() }
    }
}

/// A running station.
#[derive(Debug)]
pub struct Station {
    /// The store.
    pub store: Arc<Store>,
    /// The books.
    pub books: Books,
    /// The clock.
    pub clock: WorldClock,
    /// The site as it was at the start.
    pub site: Site,
    /// The currency of the books.
    pub currency: Currency,
    /// The prices.
    pub pricing: Arc<Pricing>,
    /// Totals of this run.
    pub totals: Arc<Totals>,
    /// Waiting times.
    pub patience: Patience,
    /// Whether sales are taken. Held for reading while one is booked.
    pub till: RwLock<bool>,
    /// Told of each new command.
    pub commands: Arc<Notify>,
    /// The collectors.
    pub gate: Gate,
    mode: watch::Sender<Mode>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
}

impl Station {
    /// Starts the books and a task for each line of the stored site.
    ///
    /// # Errors
    /// [`StationError`]; nothing runs then.
    pub async fn start(
        store: Store,
        clock: WorldClock,
        paced: bool,
        door: Option<Door>,
    ) -> Result<Arc<Self>, StationError> {
        let store = Arc::new(store);
        let site = stored_site::load(&store).await?.ok_or(StationError::NoSite)?;
        let accounts: HashMap<String, i64> = stored_site::account_ids(&store).await?.into_iter().collect();
        let settings = &site.settings;
        let currency = Currency::new(&settings.currency, settings.currency_places)
            .map_err(|error| StationError::setup("currency", error))?;
        let pricing = Arc::new(Pricing::new(&site, &accounts)?);
        let books = Books::start(store.clone(), clock, currency, pricing.clone()).await?;
        let patience = Patience::new(clock, paced).with_status_every_s(settings.status_every_s);
        let totals = Arc::new(Totals::default());
        let shared = line::Shared { clock, patience, spectacles: setup::spectacles(settings), totals: totals.clone() };
        let opened = books.look().await.map_err(|error| StationError::setup("books", error))?;
        let (mode, modes) = watch::channel(Mode::Run);
        let asks = Asks::default();
        let spectacles = setup::spectacles(settings);
        let desks = desk::Shared { books: books.clone(), clock, patience, spectacles, asks: asks.clone() };
        let ids = OrderIds::default();
        let mut tasks = JoinSet::new();
        let mut remote: HashMap<String, Vec<RemoteLine>> = HashMap::new();
        for (collector, line) in setup::lines(&site)? {
            let meters = Self::seats(&site, &line, &accounts, &opened, currency, &pricing, patience, clock.utc_s())?;
            let desk = DeskSetup { code: line.code.clone(), meters };
            let (reports, for_desk) = mpsc::channel(line::REPORTS);
            if let Some(collector) = collector {
                let line = PeerLine { setup: line, reports };
                remote.entry(collector.into()).or_default().push(RemoteLine { line, for_desk, desk });
                continue;
            }
            let (orders, for_line) = line::orders(line.meters.len());
            let code = line.code.clone();
            let line =
                Line::new(line, shared.clone(), for_line, reports).map_err(|error| StationError::setup(code, error))?;
            tasks.spawn(line.run());
            tasks.spawn(Desk::new(desk, desks.clone(), ids.clone(), orders, for_desk, modes.clone()).run());
        }
        let gate = match door {
            None if remote.is_empty() => Gate::default(),
            None => return Err(StationError::NoDoor),
            Some(door) => {
                let newest = newest(&store).await?;
                door.open(&site.collectors, remote, &newest, &shared, |desk, orders, for_desk| {
                    tasks.spawn(Desk::new(desk, desks.clone(), ids.clone(), orders, for_desk, modes.clone()).run());
                })?
            }
        };
        tasks.spawn(tidy_up(store.clone(), site.settings.clone(), clock, modes));
        let commands = Arc::new(Notify::new());
        let runner = Runner::new(store.clone(), books.clone(), asks, clock, commands.clone());
        tasks.spawn(runner.run(mode.subscribe()));
        Ok(Arc::new(Self {
            commands,
            store,
            books,
            clock,
            site,
            currency,
            pricing,
            totals,
            patience,
            till: RwLock::new(true),
            mode,
            gate,
            tasks: tokio::sync::Mutex::new(tasks),
        }))
    }

    /// The meters of a line with what their accounts need.
    #[expect(clippy::too_many_arguments, reason = "each is one fact of the setup, and there is one caller")]
    fn seats(
        site: &Site,
        line: &LineSetup,
        accounts: &HashMap<String, i64>,
        opened: &State,
        currency: Currency,
        pricing: &Pricing,
        patience: Patience,
        now_utc_s: i64,
    ) -> Result<Vec<MeterSetup>, StationError> {
        let mut seats = Vec::new();
        for meter in site.meters.iter().filter(|meter| meter.bus == line.code) {
            let account = match &meter.tenant {
                None => None,
                Some(code) => {
                    let id = accounts.get(code).copied().unwrap_or_default();
                    let id = AccountId(id.unsigned_abs());
                    let open = opened.accounts.get(&id).is_some_and(|account| account.terms().is_some());
                    Some(account_setup(site, meter, code, id, open, currency, pricing, patience, now_utc_s)?)
                }
            };
            seats.push(MeterSetup { number: setup::meter_number(meter)?, account });
        }
        Ok(seats)
    }

    /// How to show things now.
    pub fn scale(&self) -> Scale {
        Scale {
            places: self.site.settings.currency_places,
            utc_offset_min: self.site.settings.utc_offset_min,
            now_utc_s: self.clock.utc_s(),
            stale_after_s: self.patience.stale_after_s(),
        }
    }

    /// No new sales; what is open goes on. Returns when the last sale under way is booked.
    pub async fn drain(&self) {
        *self.till.write().await = false;
    }

    /// Takes a closing reading of every meter, ends the lines and waits until all is stored.
    pub async fn close(&self) {
        self.mode.send_replace(Mode::Close);
        let mut tasks = self.tasks.lock().await;
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a line ended badly");
            }
        }
        self.books.flush().await;
    }
}

/// Closes days and deletes old readings, until the station closes.
async fn tidy_up(store: Arc<Store>, settings: model::Settings, clock: WorldClock, mut modes: watch::Receiver<Mode>) {
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            closed = modes.wait_for(|mode| *mode == Mode::Close) => {
                drop(closed);
                return;
            }
        }
        match keep::tidy(&store, settings.keep, settings.utc_offset_min, clock.utc_s()).await {
            Ok(tidied) => {
                tracing::debug!(days = tidied.days, deleted = tidied.deleted, "readings tidied");
                pause = clock.real(if tidied.more { TIDY_SOON } else { TIDY_EVERY }, Duration::from_secs(1));
            }
            // The readings stay as they are; the next turn finds the same work.
            Err(error) => {
                tracing::error!(%error, "old readings can't be tidied");
                pause = clock.real(TIDY_EVERY, Duration::from_secs(1));
            }
        }
    }
}

/// When the last stored reading of each meter was taken.
async fn newest(store: &Store) -> Result<HashMap<MeterNumber, i64>, StationError> {
    let rows = read::meters(store).await?;
    let newest = rows.iter().filter_map(|row| {
        let number = MeterNumber::new(row.number.parse().ok()?).ok()?;
        Some((number, row.latest.as_ref()?.read_utc_s))
    });
    Ok(newest.collect())
}

#[expect(clippy::too_many_arguments, reason = "each is one fact of the setup, and there is one caller")]
fn account_setup(
    site: &Site,
    meter: &model::Meter,
    code: &str,
    id: AccountId,
    open: bool,
    currency: Currency,
    pricing: &Pricing,
    patience: Patience,
    now_utc_s: i64,
) -> Result<AccountSetup, StationError> {
    let refuse = |error: &dyn std::fmt::Display| StationError::setup(format!("tenant `{code}`"), error);
    let tenant = site.tenant(code).ok_or_else(|| refuse(&"it is missing"))?;
    let in_meter = tenant.purse == Purse::Meter;
    let wanted = wanted(site, meter, tenant, pricing, now_utc_s)?;
    let levels = Levels::new(
        Money::from_minor(tenant.alarm_1_minor),
        Money::from_minor(tenant.alarm_2_minor),
        Money::ZERO,
        Money::ZERO,
    )
    .map_err(|error| refuse(&error))?;
    let purse = if in_meter { prepay_core::account::Purse::InMeter } else { prepay_core::account::Purse::AtStation };
    let number = wanted.number;
    let mut meter_terms =
        MeterTerms::new(number, RegisterLimits::six_digits((meter.peak_w / 1000 + 1).saturating_mul(LOAD_MARGIN)));
    meter_terms.tolerance = Money::from_minor(SALE_TOLERANCE_MINOR);
    meter_terms.equal_count = match site.settings.equal_count {
        Some(EqualCount::Acknowledged) => EqualCountRule::EqualAcknowledged,
        Some(EqualCount::Refused) => EqualCountRule::EqualRefused,
        // Not settled: the worst is assumed.
        Some(EqualCount::Adds) | None => EqualCountRule::AnyCountAdds,
    };
    Ok(AccountSetup {
        id,
        open,
        wanted,
        terms: Terms {
            max_sale: Some(Money::from_minor(site.settings.max_sale_minor)),
            max_stored: Some(Money::from_minor(site.settings.max_stored_minor)),
            sale: patience.sale(),
            grace_s: patience.grace_s(),
            relay_retry_s: patience.relay_retry_s(),
            ..Terms::new(currency, purse, levels)
        },
        meter_terms,
        station_credit: Money::from_minor(tenant.opening_minor),
    })
}

/// What a meter of this tenant has to be and to hold.
///
/// # Errors
/// [`StationError`] for what no meter can hold.
pub fn wanted(
    site: &Site,
    meter: &model::Meter,
    tenant: &model::Tenant,
    pricing: &Pricing,
    now_utc_s: i64,
) -> Result<Wanted, StationError> {
    let refuse = |error: &dyn std::fmt::Display| StationError::setup(format!("tenant `{}`", tenant.code), error);
    let alarm = |minor: i64| u32::try_from(minor).map_err(|_| refuse(&format!("alarm level {minor} fits no register")));
    let in_meter = tenant.purse == Purse::Meter;
    pricing.suits(tenant, &site.settings)?;
    let on_meter = pricing.on_meter(&tenant.tariff, site.settings.price_places, in_meter, now_utc_s)?;
    Ok(Wanted {
        number: setup::meter_number(meter)?,
        model: match meter.model {
            model::Model::Dtsy1352 => Model::Dtsy1352,
            model::Model::Ddsy1352 => Model::Ddsy1352,
        },
        prepaid: in_meter,
        alarms_minor: [alarm(tenant.alarm_1_minor)?, alarm(tenant.alarm_2_minor)?],
        prices: on_meter.prices,
        day: on_meter.day,
    })
}
