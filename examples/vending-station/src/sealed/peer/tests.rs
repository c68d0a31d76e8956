//! The station's side against a collector that says what a test wants.

use super::*;
use crate::{
    collect::{
        order::{OrderId, Task},
        reading,
    },
    sealed::gate::CollectorState,
};
use meter_protocol::{
    acrel::Profile,
    seal::{
        SuitePolicy,
        message::{MeterRef, Online, RegisterBlock},
    },
};
use prepay_core::reading::Force;

const NUMBER: u64 = 202_611_000_301;
const START_UTC_S: i64 = 1_793_577_600;

fn place() -> Place {
    Place { line: 0, unit: 7, number: MeterNumber::new(NUMBER).unwrap() }
}

/// A station's task, and the ends of what hangs on it.
struct Rig {
    peer: Peer,
    state: State,
    desk: mpsc::Receiver<Report>,
    _orders: mpsc::Sender<Order>,
    next: u8,
}

impl Rig {
    fn new(guard: Option<(Guard, Suite)>) -> Self {
        let clock = WorldClock::starting_at(START_UTC_S * 1000, 1);
        let patience = Patience::new(clock, false);
        let spectacles = Spectacles { profile: Profile::unsettled(), utc_offset_min: 480 };
        let status = reading::status_read(&patience.line(9600), &spectacles.profile).unwrap();
        let (orders, from_desks) = mpsc::channel(4);
        let (reports, desk) = mpsc::channel(64);
        let line = LineSetup {
            code: "L1".into(),
            number: 1,
            address: "192.0.2.1:502".into(),
            baud: 9600,
            meters: vec![(place().number, place().unit)],
        };
        let setup = PeerSetup {
            lines: vec![PeerLine { setup: line, reports }],
            orders: from_desks,
            newest: HashMap::new(),
            clock,
            patience,
            spectacles,
            status,
            totals: Arc::new(Totals::default()),
        };
        let state = State::new(CollectorState::unseen("K1".into(), START_UTC_S));
        let peer = Peer::new("K1", setup, Ids::new().unwrap(), state.clone(), guard);
        Self { peer, state, desk, _orders: orders, next: 0 }
    }

    /// A connection whose set-up began at this moment; the receiver gets what the station sends.
    fn dial(&mut self, asked: Now) -> mpsc::Receiver<Vec<u8>> {
        let (conn, _, sent) = Conn::of_test(asked);
        self.peer.up(conn);
        sent
    }

    async fn say(&mut self, message: Message<'_>) -> MessageId {
        self.next += 1;
        let id = MessageId([self.next; 16]);
        self.peer.take(&wire::emit(id, message).unwrap()).await;
        id
    }

    async fn greet(&mut self, now_utc_s: i64) {
        let online = Online { boot_count: 1, now_utc_s, lines: 1, meters: 1, backlog: 0, software: "test" };
        self.say(Message::Online(online)).await;
    }

    async fn read(&mut self, read_at_utc_s: i64) -> MessageId {
        let mut data = vec![0; usize::from(self.peer.setup.status.count) * 2];
        let address = self.peer.setup.status.address;
        // Transformers of 1:1.
        for ratio in [0x0213, 0x0214_u16] {
            data[usize::from(ratio - address) * 2 + 1] = 1;
        }
        let block = RegisterBlock { read_at_utc_s, address, data: &data };
        let meter = wire::meter_ref(place()).unwrap();
        self.say(Message::Snapshot(Snapshot { meter, response_ms: 3, block })).await
    }

    /// When the last reading was taken, as the desk is told.
    fn taken(&mut self) -> Option<Now> {
        match self.desk.try_recv() {
            Ok(Report::Shown { shown, .. }) => Some(shown.reading.taken),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        }
    }

    fn order(id: OrderId) -> Order {
        let task = Task::Switch { force: Force::Off };
        Order { id, meter: place().number, task, not_after_utc_s: None }
    }
}

fn acknowledged(sent: &mut mpsc::Receiver<Vec<u8>>) -> Vec<MessageId> {
    let mut ids = Vec::new();
    while let Ok(payload) = sent.try_recv() {
        if let Ok(Envelope { message: Message::Ack(ack), .. }) = Envelope::parse(&payload) {
            ids.extend(ack.iter());
        }
    }
    ids
}

fn commands(sent: &mut mpsc::Receiver<Vec<u8>>) -> Vec<MessageId> {
    let mut ids = Vec::new();
    while let Ok(payload) = sent.try_recv() {
        if let Ok(Envelope { id, message: Message::Command(_) }) = Envelope::parse(&payload) {
            ids.push(id);
        }
    }
    ids
}

/// Its stamp says that it was read behind the fence; it was read before.
#[tokio::test]
async fn a_fast_clock_makes_no_reading_younger() {
    for off_s in [-55, 0, 55] {
        let mut rig = Rig::new(None);
        while rig.peer.setup.clock.mono_ms() < 20 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // A fence is closed; a moment later the collector dials.
        let asked = rig.peer.setup.clock.now();
        let _sent = rig.dial(asked);
        rig.greet(START_UTC_S + off_s).await;
        // Read 20 s before.
        rig.read(START_UTC_S + off_s - 20).await;
        let taken = rig.taken().expect("a reading");
        assert!(taken.mono_ms < asked.mono_ms, "off {off_s}: {taken:?} would be behind the fence");
    }
}

#[tokio::test]
async fn a_reading_from_the_future_is_refused_by_name_and_hides_no_later_one() {
    let mut rig = Rig::new(None);
    let mut sent = rig.dial(Now { mono_ms: 0, utc_s: START_UTC_S });
    rig.greet(START_UTC_S).await;
    let poison = rig.read(START_UTC_S + 86_400).await;
    assert_eq!(rig.taken(), None);
    assert!(acknowledged(&mut sent).contains(&poison), "it is not sent for ever");
    rig.state.with(|state| assert_eq!(state.refused, 1));
    rig.read(START_UTC_S + 10).await;
    assert!(rig.taken().is_some(), "the true one counts");
}

#[tokio::test]
async fn a_running_session_ends_with_the_time_of_its_suite() {
    let folder = tempfile::tempdir().unwrap();
    for (from_utc_s, suite, stays) in
        [(START_UTC_S + 3600, Suite::Tdes, true), (START_UTC_S, Suite::Tdes, false), (START_UTC_S, Suite::AesCcm, true)]
    {
        let guard = Guard::open(SuitePolicy::refuse_tdes_from(from_utc_s), folder.path(), START_UTC_S - 10).unwrap();
        let mut rig = Rig::new(Some((guard, suite)));
        let sent = rig.dial(Now { mono_ms: 0, utc_s: START_UTC_S });
        rig.greet(START_UTC_S).await;
        rig.peer.look().await;
        assert_eq!(rig.peer.conn.is_some(), stays, "{suite:?}");
        assert_eq!(sent.is_closed(), !stays);
        rig.state.with(|state| assert_eq!(state.online, stays));
        std::fs::remove_file(folder.path().join("latest-utc-s")).unwrap();
    }
}

#[tokio::test]
async fn an_order_goes_out_again_until_its_result_and_not_after_its_time() {
    let mut rig = Rig::new(None);
    let mut sent = rig.dial(Now { mono_ms: 0, utc_s: START_UTC_S });
    rig.greet(START_UTC_S).await;
    rig.peer.order(Rig::order(1)).await;
    let first = commands(&mut sent);
    assert_eq!(first.len(), 1);
    rig.peer.look().await;
    assert!(commands(&mut sent).is_empty(), "not yet");
    // Six seconds later.
    let age = |rig: &mut Rig| {
        let open = rig.peer.open.values_mut().next().unwrap();
        open.out = Some(Copies::first(Instant::now() - Duration::from_secs(6)));
    };
    age(&mut rig);
    rig.peer.look().await;
    assert_eq!(commands(&mut sent), first, "the same id");
    assert!(rig.peer.open.values().all(|open| open.sent_before), "a refusal of the one says nothing about the other");
    age(&mut rig);
    rig.peer.open.values_mut().for_each(|open| open.not_after_utc_s = START_UTC_S - 1);
    rig.peer.look().await;
    assert!(commands(&mut sent).is_empty() && rig.peer.open.len() == 1, "silence proves nothing");
}

#[tokio::test]
async fn what_the_collector_says_about_meters_and_lines_is_shown() {
    let mut rig = Rig::new(None);
    let mut sent = rig.dial(Now { mono_ms: 0, utc_s: START_UTC_S });
    rig.greet(START_UTC_S).await;
    let meter: MeterRef = wire::meter_ref(place()).unwrap();
    let lost = |since_utc_s| MeterStatus { meter, link: MeterLink::Lost, since_utc_s, missed: 4 };
    rig.read(START_UTC_S + 5).await;
    assert!(rig.taken().is_some());
    rig.say(Message::MeterStatus(lost(START_UTC_S + 4))).await;
    assert!(rig.desk.try_recv().is_err(), "a newer reading was here before");
    let id = rig.say(Message::MeterStatus(lost(START_UTC_S + 9))).await;
    assert!(matches!(rig.desk.try_recv(), Ok(Report::Silent { meter }) if meter == place().number));
    rig.say(Message::MeterStatus(lost(START_UTC_S + 9))).await;
    assert!(rig.desk.try_recv().is_err(), "once");
    let line = |up| LineStatus {
        line: 0,
        up,
        since_utc_s: START_UTC_S,
        transmitted: 9,
        replies: 5,
        timeouts: 4,
        broken_frames: 0,
    };
    let down = rig.say(Message::LineStatus(line(false))).await;
    assert_eq!(rig.peer.lines_down.len(), 1);
    let acknowledged = acknowledged(&mut sent);
    assert!(acknowledged.contains(&id) && acknowledged.contains(&down));
    rig.say(Message::LineStatus(line(true))).await;
    assert!(rig.peer.lines_down.is_empty());
    rig.read(START_UTC_S + 12).await;
    assert!(rig.taken().is_some() && rig.peer.silent.is_empty());
}

/// Read what nobody expects at this place: counted, never a reason to close.
#[tokio::test]
async fn what_is_not_understood_is_counted_and_the_connection_stays() {
    let mut rig = Rig::new(None);
    let _sent = rig.dial(Now { mono_ms: 0, utc_s: START_UTC_S });
    rig.read(START_UTC_S).await;
    rig.greet(START_UTC_S).await;
    let mut unknown = [0; 18];
    (unknown[0], unknown[1]) = (1, 200);
    rig.peer.take(&unknown).await;
    rig.peer.take(&[9]).await;
    rig.state.with(|state| assert_eq!(state.refused, 3));
    assert!(rig.peer.conn.is_some() && rig.taken().is_none());
}
