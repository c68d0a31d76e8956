//! A collector that is told what a test wants; its lines are the test's own.

use super::*;
use meter_protocol::{
    acrel::ForceMode,
    seal::{
        message::{Command, MeterRef, Order as Wish, Outcome},
        tokio::accept,
    },
};
use std::path::PathBuf;
use tokio::net::TcpSocket;

/// A command of a test is not over for so long.
const LONG_S: i64 = 3600;

/// The example's collector with a key of its own, and with a journal that holds `journal`.
struct Rig {
    folder: tempfile::TempDir,
    collector: Collector,
    /// What its first line is ordered to do.
    orders: mpsc::Receiver<Order>,
}

fn settings(folder: &Path) -> PathBuf {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/collector");
    for name in ["site.toml", "collector.toml"] {
        std::fs::copy(example.join(name), folder.join(name)).unwrap();
    }
    std::fs::create_dir(folder.join("keys")).unwrap();
    keys::create(&folder.join("keys/K1.keys"), 7).unwrap();
    folder.join("collector.toml")
}

impl Rig {
    async fn new(journal: impl FnOnce(MeterRef) -> String, orders_max: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = settings(folder.path());
        // Its meters are known before its journal is read.
        let first = Collector::start(&file, None).await.unwrap();
        let meter = meter_of(&first);
        drop(first);
        std::fs::write(folder.path().join("K1.journal"), journal(meter)).unwrap();
        let mut collector = Collector::start(&file, None).await.unwrap();
        let (lines, orders) = mpsc::channel(orders_max);
        collector.lines[usize::from(meter.line)] = lines;
        Self { folder, collector, orders }
    }

    fn command(&mut self, id: u8, order: Wish) {
        let meter = meter_of(&self.collector);
        let not_after_utc_s = self.collector.clock.utc_s() + LONG_S;
        self.collector.command(MessageId([id; 16]), &Command { meter, not_after_utc_s, order }).unwrap();
    }

    /// The last result in the outbox: of which command, and what.
    fn last(&self) -> (u8, Outcome, bool) {
        let payload = self.collector.outbox.back().expect("a result");
        let Ok(Envelope { message: Message::Result(result), .. }) = Envelope::parse(payload) else {
            panic!("no result")
        };
        (result.command.0[0], result.outcome, result.after.is_some())
    }
}

/// The first meter of the first line.
fn meter_of(collector: &Collector) -> MeterRef {
    let first = collector.places.values().filter(|place| place.line == 0).min_by_key(|place| place.unit).unwrap();
    wire::meter_ref(*first).unwrap()
}

const FORCE: Wish = Wish::Force(ForceMode::SupplyOff);
const SALE: Wish = Wish::Sale { amount_minor: 100, count_before: 3 };

#[tokio::test(flavor = "multi_thread")]
async fn a_line_with_enough_to_do_is_busy_and_nothing_is_written_down() {
    let mut rig = Rig::new(|_| String::new(), 2).await;
    for id in 1..=2 {
        rig.command(id, FORCE);
    }
    assert!(rig.collector.outbox.is_empty());
    rig.command(3, FORCE);
    assert_eq!(rig.last(), (3, Outcome::Refused(RefusalReason::Busy), false));
    assert_eq!(rig.collector.journal.entry(MessageId([3; 16])), None);
    // With room again the same command is begun.
    assert!(rig.orders.try_recv().is_ok());
    rig.command(3, FORCE);
    assert!(rig.collector.journal.entry(MessageId([3; 16])).is_some());
    assert!(rig.orders.try_recv().is_ok() && rig.orders.try_recv().is_ok());
    // What is under way is not begun again.
    rig.command(3, FORCE);
    assert!(rig.orders.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_full_journal_nothing_is_begun_but_reads() {
    let ended = |n: usize| format!("ended {n:032x} {} 00\n", i64::MAX - 100_000);
    let journal = (1..=super::super::journal::OPEN_MAX).map(ended).collect();
    let mut rig = Rig::new(|_| journal, 9).await;
    rig.command(200, SALE);
    assert_eq!(rig.last(), (200, Outcome::Refused(RefusalReason::Busy), false));
    assert!(rig.orders.try_recv().is_err());
    let (address, count) = (rig.collector.status.address, u8::try_from(rig.collector.status.count).unwrap());
    rig.command(201, Wish::Read { address, count });
    assert!(rig.orders.try_recv().is_ok(), "a read is not written down");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_clock_behind_the_last_start_nothing_is_sold() {
    let ahead = super::super::settings::now_unix_ms() / 1000 + 86_400;
    let mut rig = Rig::new(|_| format!("starts 4 {ahead}\n"), 9).await;
    rig.command(1, SALE);
    assert_eq!(rig.last(), (1, Outcome::Refused(RefusalReason::Clock), false));
    rig.command(2, FORCE);
    assert!(
        matches!(rig.orders.try_recv(), Ok(order) if matches!(order.task, crate::collect::order::Task::Switch { .. }))
    );
    assert!(rig.orders.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_command_is_answered_with_a_look_at_its_meter() {
    let begun = |MeterRef { line, unit, number }| {
        format!("begun {} {} {line} {unit} {number}\n", MessageId([9; 16]), i64::MAX - 100_000)
    };
    let mut rig = Rig::new(begun, 9).await;
    let (order, running) = rig.collector.running.iter().next().expect("a look at the meter");
    assert!(running.interrupted && running.command == MessageId([9; 16]));
    let (order, meter) = (*order, running.place.number);
    // Until the meter was asked there is no result, and no second execution.
    rig.command(9, SALE);
    assert!(rig.collector.outbox.is_empty() && rig.orders.try_recv().is_err());
    rig.collector.report(Report::Done { id: order, meter, done: Done::Read(None), taken: None }).unwrap();
    assert_eq!(rig.last(), (9, Outcome::NoReply, false));
    rig.command(9, SALE);
    assert_eq!((rig.collector.outbox.len(), rig.orders.try_recv().is_err()), (2, true), "answered with what is stored");
    assert!(rig.folder.path().join("K1.journal").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_order_is_answered_and_an_unknown_kind_counted() {
    let mut rig = Rig::new(|_| String::new(), 9).await;
    let command = Command { meter: meter_of(&rig.collector), not_after_utc_s: 0, order: Wish::SetClock };
    let mut payload = wire::emit(MessageId([5; 16]), Message::Command(command)).unwrap();
    *payload.last_mut().unwrap() = 99;
    rig.collector.take(&payload).unwrap();
    assert_eq!(rig.last(), (5, Outcome::Refused(RefusalReason::Unsupported), false));
    payload[1] = 77;
    rig.collector.take(&payload).unwrap();
    rig.collector.take(&[]).unwrap();
    assert_eq!((rig.collector.not_understood, rig.collector.outbox.len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_goes_out_again_until_it_is_acknowledged() {
    let mut rig = Rig::new(|_| String::new(), 9).await;
    rig.command(1, SALE);
    let order = rig.orders.try_recv().unwrap();
    rig.collector
        .report(Report::Done { id: order.id, meter: order.meter, done: Done::unwritten(), taken: None })
        .unwrap();
    let result = rig.collector.outbox.pop_front().unwrap();
    let age = |rig: &mut Rig| {
        let before = Instant::now() - Duration::from_secs(6);
        rig.collector.results.values_mut().for_each(|copies| *copies = Copies::first(before));
    };
    rig.collector.repeat();
    assert!(rig.collector.outbox.is_empty());
    age(&mut rig);
    rig.collector.repeat();
    assert_eq!(rig.collector.outbox.pop_front(), Some(result.clone()), "the same id and bytes");
    rig.collector.repeat();
    assert!(rig.collector.outbox.is_empty());
    let Ok(Envelope { id, .. }) = Envelope::parse(&result) else { panic!("a message") };
    rig.collector.acknowledged(id).unwrap();
    age(&mut rig);
    rig.collector.repeat();
    assert!(rig.collector.outbox.is_empty() && rig.collector.results.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_meters_and_lines_are_told_to_the_station() {
    let mut rig = Rig::new(|_| String::new(), 9).await;
    let meter = rig.collector.places.values().next().unwrap().number;
    rig.collector.report(Report::Silent { meter }).unwrap();
    let line = LineState {
        code: rig.collector.line_codes[0].as_str().into(),
        up: false,
        since_utc_s: 5,
        counters: crate::collect::order::LineCounters::default(),
    };
    rig.collector.report(Report::Line(line)).unwrap();
    rig.collector.greet().unwrap();
    let sent: Vec<Vec<u8>> = std::iter::from_fn(|| rig.collector.next_payload()).collect();
    let kinds: Vec<u8> = sent.iter().map(|payload| payload[1]).collect();
    // Online, the line, the meter.
    assert_eq!(kinds, [1, 4, 3]);
}

/// A station that orders and takes no results: the collector stops listening, and its memory is bounded. Nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_no_results_can_order_no_more() {
    const MOST: u32 = 50_000;
    let folder = tempfile::tempdir().unwrap();
    let file = settings(folder.path());
    // Small buffers, so that the network holds little.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let collector = Collector::start(&file, Some(listener.local_addr().unwrap().to_string())).await.unwrap();
    let meter = MeterRef { number: "999999999999".parse().unwrap(), ..meter_of(&collector) };
    let station_keys = keys::load(&folder.path().join("keys/K1.keys")).unwrap();
    let running = tokio::spawn(collector.run());
    let (stream, _) = listener.accept().await.unwrap();
    let (reader, writer) = stream.into_split();
    let (_, mut reader, mut writer) =
        accept(reader, writer, keys::nonce().unwrap(), |_| Some(&station_keys)).await.unwrap();
    let command = |n: u32| {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        wire::emit(MessageId(id), Message::Command(Command { meter, not_after_utc_s: i64::MAX, order: FORCE })).unwrap()
    };
    let mut sent = 0;
    while sent < MOST && timeout(Duration::from_secs(1), writer.send(&command(sent))).await.is_ok() {
        sent += 1;
    }
    assert!(sent < MOST, "it takes orders without end");
    // The last one is in the writer, whose rest goes out once the results are taken.
    sent += 1;
    println!("{sent} orders before it stopped listening");
    let flush = tokio::spawn(async move { writer.flush().await.map(|()| writer) });
    let mut answered = std::collections::BTreeMap::<u32, u32>::new();
    while answered.len() < usize::try_from(sent).unwrap() {
        let payload = timeout(Duration::from_secs(60), reader.recv()).await.expect("it goes on").unwrap();
        if let Ok(Envelope { message: Message::Result(result), .. }) = Envelope::parse(payload) {
            assert_eq!(result.outcome, Outcome::Refused(RefusalReason::UnknownMeter));
            let [a, b, c, d, ..] = result.command.0;
            *answered.entry(u32::from_be_bytes([a, b, c, d])).or_default() += 1;
        }
    }
    assert!(answered.values().all(|times| *times == 1));
    flush.await.unwrap().unwrap();
    running.abort();
}
