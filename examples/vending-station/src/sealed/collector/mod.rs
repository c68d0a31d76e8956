//! `vending-station collect`: an area collector. It runs its lines, keeps readings for the station, and carries out what the
//! station orders, each command at most once. It holds no money and no prices.

mod commands;
#[cfg(test)]
mod tests;

use super::{
    copies::Copies,
    journal::{Journal, JournalError},
    keys::{self, KeysError},
    notices::{About, Notices},
    pump::{self, Conn},
    settings::{CollectorFile, CollectorFileError},
    spool::Spool,
    wire::{self, Ids, Place},
};
use crate::{
    clock::WorldClock,
    collect::{
        commission::Wanted,
        line::{self, Line},
        order::{Done, LineState, Order, OrderId, Report},
        patience::Patience,
        reading, setup,
    },
    pricing::{Pricing, PricingError},
    site::{self, Complaint, Site},
    station::wanted,
    totals::Totals,
};
use commands::Running;
use meter_protocol::{
    plan::Read,
    seal::{
        PeerKeys,
        message::{Envelope, Message, MessageError, MessageId, MeterLink, Online, RefusalReason},
        tokio::connect,
    },
};
use prepay_core::id::MeterNumber;
use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::{Instant, interval, timeout},
};

/// What the collector calls itself.
const SOFTWARE: &str = concat!("vending-station ", env!("CARGO_PKG_VERSION"));
/// How long the station may take to accept a connection.
const DIAL_LIMIT: Duration = Duration::from_secs(5);
/// Answers that may wait for the connection. With more of them nothing is taken from it.
const OUTBOX_MAX: usize = 64;
/// How often it is looked what has to go out again.
const REPEAT_EVERY: Duration = Duration::from_secs(1);
/// A connection that failed is tried again after this.
const DIAL_AGAIN: Duration = Duration::from_millis(500);

/// Why a collector can't work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// Its settings.
    #[error(transparent)]
    Settings(#[from] CollectorFileError),
    /// The site file.
    #[error("{} complaint(s) about the site:\n{}", .0.len(), .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Site(Vec<Complaint>),
    /// The site does not know it.
    #[error("the site file has no collector `{code}` with lines")]
    Unknown {
        /// Its code.
        code: String,
    },
    /// Its keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Its journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A line or meter of the site.
    #[error("{what}: {reason}")]
    Setup {
        /// Which.
        what: String,
        /// Why.
        reason: String,
    },
    /// A tariff.
    #[error(transparent)]
    Pricing(#[from] PricingError),
    /// Something that can't be put in a message.
    #[error("a message can't be made: {0}")]
    Message(#[from] MessageError),
}

impl CollectError {
    fn setup(what: impl ToString, reason: impl ToString) -> Self {
        Self::Setup { what: what.to_string(), reason: reason.to_string() }
    }
}

/// The process.
#[derive(Debug)]
pub struct Collector {
    code: Arc<str>,
    station: String,
    keys: Arc<PeerKeys>,
    clock: WorldClock,
    status: Read,
    places: HashMap<MeterNumber, Place>,
    wanted: HashMap<MeterNumber, Wanted>,
    lines: Vec<mpsc::Sender<Order>>,
    /// Codes of the lines, in the same order.
    line_codes: Vec<String>,
    reports: mpsc::Receiver<Report>,
    journal: Journal,
    spool: Spool,
    ids: Ids,
    next_order: OrderId,
    running: HashMap<OrderId, Running>,
    /// What goes before the readings: the first message of a session.
    greeting: Option<Vec<u8>>,
    /// What goes behind the readings that were taken before it: results.
    outbox: VecDeque<Vec<u8>>,
    /// What does not answer, for the station.
    notices: Notices,
    /// Copies of the results on this connection, by command.
    results: HashMap<MessageId, Copies>,
    /// Messages that were not understood.
    not_understood: u64,
    _tasks: JoinSet<()>,
}

impl Collector {
    /// Reads settings, site, keys and journal, and starts the lines. `station` overrides the address in the file.
    ///
    /// # Errors
    /// [`CollectError`]; nothing runs then.
    pub async fn start(file: &Path, station: Option<String>) -> Result<Self, CollectError> {
        let settings = CollectorFile::load(file)?;
        let site = site::load(&settings.site).map_err(CollectError::Site)?.site;
        let unknown = || CollectError::Unknown { code: settings.code.clone() };
        let own = site.collectors.iter().find(|collector| collector.code == settings.code).ok_or_else(unknown)?;
        let keys = keys::load(&settings.keys.join(&own.key_file))?;
        let clock = settings.clock();
        let lines = setup::lines(&site).map_err(|error| CollectError::setup("site", error))?;
        let lines: Vec<_> = lines
            .into_iter()
            .filter(|(collector, _)| *collector == Some(&settings.code))
            .map(|(_, line)| line)
            .collect();
        let first = lines.first().ok_or_else(unknown)?;
        let patience = Patience::new(clock, settings.world.is_some_and(|world| world.paced))
            .with_status_every_s(site.settings.status_every_s);
        let spectacles = setup::spectacles(&site.settings);
        let status = reading::status_read(&patience.line(first.baud), &spectacles.profile)
            .map_err(|error| CollectError::setup(&first.code, error))?;
        let places = wire::places(&lines);
        let wanted = wanted_on(&site, clock)?;
        let (reports, received) = mpsc::channel(line::REPORTS);
        let shared = line::Shared { clock, patience, spectacles, totals: Arc::new(Totals::default()) };
        let mut tasks = JoinSet::new();
        let (mut senders, mut line_codes) = (Vec::new(), Vec::new());
        for setup in lines {
            line_codes.push(setup.code.clone());
            let (orders, for_line) = line::orders(setup.meters.len());
            let code = setup.code.clone();
            let line = Line::new(setup, shared.clone(), for_line, reports.clone())
                .map_err(|error| CollectError::setup(code, error))?;
            senders.push(orders);
            tasks.spawn(line.run());
        }
        let mut collector = Self {
            code: settings.code.as_str().into(),
            station: station.unwrap_or(settings.station),
            keys: Arc::new(keys),
            clock,
            status,
            places: places.into_iter().map(|place| (place.number, place)).collect(),
            wanted,
            lines: senders,
            line_codes,
            reports: received,
            journal: Journal::open(&settings.journal, clock.utc_s())?,
            spool: Spool::default(),
            ids: Ids::new()?,
            next_order: 0,
            running: HashMap::new(),
            greeting: None,
            outbox: VecDeque::new(),
            notices: Notices::default(),
            results: HashMap::new(),
            not_understood: 0,
            _tasks: tasks,
        };
        collector.settle_interrupted()?;
        if collector.journal.clock_is_behind(clock.utc_s()) {
            tracing::error!("the clock stands behind the last start; nothing is sold until it is right");
        }
        Ok(collector)
    }

    /// Works until the journal fails. Stopping the process at any moment is safe.
    ///
    /// # Errors
    /// [`CollectError::Journal`]: what can't be written down is not begun.
    pub async fn run(mut self) -> Result<(), CollectError> {
        let mut conn: Option<Conn> = None;
        let mut dialing = JoinSet::new();
        let mut repeat = interval(REPEAT_EVERY);
        self.dial(&mut dialing, Duration::ZERO);
        loop {
            let sender = conn.as_ref().map(|conn| conn.outgoing.clone());
            let listens = self.outbox.len() < OUTBOX_MAX;
            let unsent = self.greeting.is_some()
                || !self.outbox.is_empty()
                || self.spool.has_unsent()
                || self.notices.has_due(Instant::now());
            tokio::select! {
                Some(report) = self.reports.recv() => self.report(report)?,
                Some(dialed) = dialing.join_next() => match dialed {
                    Ok(Ok(new)) => {
                        tracing::info!(collector = &*self.code, "connected");
                        conn = Some(new);
                        self.greet()?;
                    }
                    Ok(Err(reason)) => {
                        tracing::info!(collector = &*self.code, reason, "no connection");
                        self.dial(&mut dialing, DIAL_AGAIN);
                    }
                    Err(_) => self.dial(&mut dialing, DIAL_AGAIN),
                },
                payload = pump::next(&mut conn), if listens => match payload {
                    Some(payload) => self.take(&payload)?,
                    None => {
                        conn = None;
                        self.dial(&mut dialing, DIAL_AGAIN);
                    }
                },
                _ = repeat.tick(), if conn.is_some() => self.repeat(),
                permit = reserve(sender), if unsent => match permit {
                    Some(permit) => {
                        if let Some(payload) = self.next_payload() {
                            permit.send(payload);
                        }
                    }
                    None => {
                        conn = None;
                        self.dial(&mut dialing, DIAL_AGAIN);
                    }
                },
            }
        }
    }

    fn dial(&self, dialing: &mut JoinSet<Result<Conn, String>>, after: Duration) {
        let (name, station, keys, asked) =
            (self.code.clone(), self.station.clone(), self.keys.clone(), self.clock.now());
        dialing.spawn(async move {
            tokio::time::sleep(after).await;
            let stream = timeout(DIAL_LIMIT, TcpStream::connect(&station)).await;
            let stream = stream.map_err(|_| "the station does not accept".to_owned())?.map_err(|e| e.to_string())?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            let nonce = keys::nonce().map_err(|error| error.to_string())?;
            let (reader, writer) = stream.into_split();
            let (reader, writer) = connect(reader, writer, &keys, nonce).await.map_err(|error| error.to_string())?;
            Ok(Conn::new(name, asked, reader, writer))
        });
    }

    /// A new session: who is there, then the results that the station may not have, then the readings.
    fn greet(&mut self) -> Result<(), CollectError> {
        self.spool.rewind();
        self.notices.rewind();
        self.results.clear();
        self.outbox.clear();
        let online = Online {
            boot_count: self.journal.starts(),
            now_utc_s: self.clock.utc_s(),
            lines: u8::try_from(self.lines.len()).unwrap_or(u8::MAX),
            meters: u16::try_from(self.places.len()).unwrap_or(u16::MAX),
            backlog: u32::try_from(self.spool.len()).unwrap_or(u32::MAX),
            software: SOFTWARE,
        };
        let id = self.ids.next();
        self.greeting = Some(wire::emit(id, Message::Online(online))?);
        self.outbox.extend(self.journal.unacknowledged().into_iter().map(|(_, result)| result));
        Ok(())
    }

    /// In the order in which it was seen, so that no reading arrives behind evidence that is newer.
    fn next_payload(&mut self) -> Option<Vec<u8>> {
        let now = Instant::now();
        let first = self.greeting.take().or_else(|| self.notices.next(now));
        first.or_else(|| self.spool.send_next(now)).or_else(|| self.outbox.pop_front())
    }

    /// Puts into the outbox what the station should have acknowledged by now, as far as there is room.
    fn repeat(&mut self) {
        let now = Instant::now();
        let room = |outbox: &VecDeque<Vec<u8>>| OUTBOX_MAX.saturating_sub(outbox.len());
        let readings = self.spool.due(now, room(&self.outbox));
        self.outbox.extend(readings);
        let results = self.journal.unacknowledged();
        self.results.retain(|command, _| self.journal.is_unacknowledged(*command));
        for (command, result) in results {
            // A result that has come since the last look is in the outbox, or on its way.
            let copies = self.results.entry(command).or_insert_with(|| Copies::first(now));
            if copies.are_due(now) && self.outbox.len() < OUTBOX_MAX {
                copies.another(now);
                self.outbox.push_back(result);
            }
        }
    }

    fn report(&mut self, report: Report) -> Result<(), CollectError> {
        match report {
            Report::Shown { meter, shown, .. } => {
                let Some(place) = self.places.get(&meter) else { return Ok(()) };
                let id = self.ids.next();
                if let Some(payload) = wire::snapshot(id, *place, &shown, self.status) {
                    self.spool.push(id, payload, meter, shown.reading.taken.utc_s);
                }
            }
            Report::Silent { meter } => self.link(meter, MeterLink::Lost),
            Report::Heard { meter } => self.link(meter, MeterLink::Answering),
            Report::Line(state) => self.line(&state),
            Report::Done { id, done, .. } => {
                let Some(running) = self.running.remove(&id) else { return Ok(()) };
                let ids = [self.ids.next(), running.command];
                let now_utc_s = self.clock.utc_s();
                let result = match (&done, running.interrupted) {
                    (Done::Read(shown), true) => {
                        wire::interrupted(ids, running.place, shown.as_ref(), now_utc_s, self.status)
                    }
                    _ => wire::result(ids, running.place, &done, running.sold, now_utc_s, self.status),
                };
                let Some(result) = result else { return Ok(()) };
                self.answer(running.command, running.journaled, result)?;
            }
        }
        Ok(())
    }

    /// A meter does not answer any more, or does again.
    fn link(&mut self, meter: MeterNumber, link: MeterLink) {
        tracing::info!(collector = &*self.code, %meter, ?link, "a meter's link");
        let Some(place) = self.places.get(&meter).copied() else { return };
        let id = self.ids.next();
        if let Some(payload) = wire::meter_status(id, place, link, self.clock.utc_s()) {
            self.notices.put(About::Meter { line: place.line, unit: place.unit }, id, payload);
        }
    }

    /// A line has a connection, or none any more.
    fn line(&mut self, state: &LineState) {
        tracing::info!(collector = &*self.code, ?state, "a line");
        let place = self.line_codes.iter().position(|code| **code == *state.code);
        let Some(line) = place.and_then(|place| u8::try_from(place).ok()) else { return };
        let id = self.ids.next();
        if let Some(payload) = wire::line_status(id, line, state) {
            self.notices.put(About::Line(line), id, payload);
        }
    }

    fn take(&mut self, payload: &[u8]) -> Result<(), CollectError> {
        match Envelope::parse(payload) {
            Ok(Envelope { id, message: Message::Command(command) }) => self.command(id, &command),
            Ok(Envelope { message: Message::Ack(ack), .. }) => {
                for id in ack.iter() {
                    if !self.spool.acknowledge(id) && !self.notices.acknowledge(id) {
                        self.acknowledged(id)?;
                    }
                }
                Ok(())
            }
            Err(MessageError::Order { id, meter, .. }) => self.refuse(id, meter, RefusalReason::Unsupported),
            Ok(Envelope { id, .. }) => {
                self.not_understood += 1;
                tracing::warn!(collector = &*self.code, %id, all = self.not_understood, "not a message for a collector");
                Ok(())
            }
            Err(error) => {
                self.not_understood += 1;
                let all = self.not_understood;
                tracing::warn!(collector = &*self.code, %error, all, "a message is not understood");
                Ok(())
            }
        }
    }

    /// The station has a result.
    fn acknowledged(&mut self, result: MessageId) -> Result<(), CollectError> {
        let waiting = self.journal.unacknowledged();
        let named = |(_, payload): &&(MessageId, Vec<u8>)| Envelope::parse(payload).is_ok_and(|sent| sent.id == result);
        match waiting.iter().find(named) {
            Some((command, _)) => {
                let now_utc_s = self.clock.utc_s();
                Ok(tokio::task::block_in_place(|| self.journal.acknowledge(*command, now_utc_s))?)
            }
            None => Ok(()),
        }
    }
}

/// Room in the queue of a connection; none when it has ended.
async fn reserve(sender: Option<mpsc::Sender<Vec<u8>>>) -> Option<mpsc::OwnedPermit<Vec<u8>>> {
    match sender {
        Some(sender) => sender.reserve_owned().await.ok(),
        None => std::future::pending().await,
    }
}

/// What the site file says about each meter with a tenant: its model and when it counts by which rate.
fn wanted_on(site: &Site, clock: WorldClock) -> Result<HashMap<MeterNumber, Wanted>, CollectError> {
    let pricing = Pricing::new(site, &HashMap::new())?;
    let mut all = HashMap::new();
    for meter in &site.meters {
        let Some(tenant) = meter.tenant.as_deref().and_then(|code| site.tenant(code)) else { continue };
        let wanted = wanted(site, meter, tenant, &pricing, clock.utc_s())
            .map_err(|error| CollectError::setup(&meter.number, error))?;
        all.insert(wanted.number, wanted);
    }
    Ok(all)
}
