//! What the world file keeps: restarts, crashes, killed processes, changed plans.

use super::*;

#[tokio::test]
async fn a_restarted_world_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let handle = served(&path, plan(2, 3), 3_600).await;
    let mut before = HashMap::new();
    for bus in 0..2 {
        let mut stream = connected(&handle, bus).await;
        for unit in 1..=3 {
            set_prices(&mut stream, unit, 8_833).await;
            let count = poll(&mut stream, unit).await.count;
            sell(&mut stream, unit, 123_456, count + 1).await;
            before.insert((bus, unit), poll(&mut stream, unit).await);
        }
    }
    handle.shutdown().await.unwrap();

    // Other sockets, other order of buses, one meter more: still the same world.
    let mut changed = plan(2, 3);
    changed.buses.reverse();
    for meter in &mut changed.meters {
        meter.bus = 1 - meter.bus;
    }
    let one_more = MeterPlan { unit: 9, number: "202600000009".into(), bus: 0, ..changed.meters[0].clone() };
    changed.meters.push(one_more);
    let fleet = opened(&path, changed).await;
    assert_eq!(fleet.meters_created(), 1);
    let stopped_ms = fleet.time_utc_ms();
    assert!(stopped_ms > START_MS);
    let clock = fleet.clock(START_MS, 1);
    assert!(clock.utc_ms() >= stopped_ms);
    let handle = fleet.serve(clock, patient()).await.unwrap();
    for ((bus, unit), before) in before {
        let mut stream = connected(&handle, 1 - bus).await;
        let after = poll(&mut stream, unit).await;
        assert_eq!(after.count, before.count);
        // No more than the rated power with its noise, since the world began.
        let most_mj = u64::from(14_000_u32 * 109 / 100) * (clock.utc_ms() - START_MS).unsigned_abs();
        let used = u64::from(after.total.checked_sub(before.total).expect("energy never falls"));
        assert!(used <= most_mj / 36_000_000 + 1, "{before:?} {after:?}");
        assert!(after.remaining <= before.remaining);
        assert!(after.rates.iter().zip(before.rates).all(|(after, before)| *after >= before));
        let words = read_words(&mut stream, unit, 0x0400, 4).await;
        assert_eq!(double(&words[2..]), 8_833, "the price is part of the state");
    }
    handle.shutdown().await.unwrap();
}

/// What a crash leaves: the files as they are at this moment, without any orderly end.
fn crash_image(world: &Path, copy: &Path) {
    for suffix in ["", "-wal"] {
        let with = |path: &Path| format!("{}{suffix}", path.display());
        std::fs::copy(with(world), with(copy)).unwrap();
    }
}

#[tokio::test]
async fn a_sale_that_was_answered_survives_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let handle = served(&path, plan(1, 1), 60).await;
    let mut stream = connected(&handle, 0).await;
    for round in 1..=5_u16 {
        let before = poll(&mut stream, 1).await;
        sell(&mut stream, 1, 10_000 + u32::from(round), before.count + 1).await;
        let image = folder.path().join(format!("image-{round}"));
        crash_image(&path, &image);

        let survivor = opened(&image, plan(1, 1)).await;
        let meter = survivor.meters[0];
        // Prices are 0: nothing but the sale can have changed the balance.
        assert_eq!(meter.purchase_count(), before.count + 1, "round {round}");
        assert_eq!(meter.remaining_cents(), before.remaining + 10_000 + i32::from(round.cast_signed()));
        assert!(survivor.time_utc_ms() >= meter.time_ms());
        survivor.close().await.unwrap();
    }
    handle.shutdown().await.unwrap();
}

const CHILD_WORLD: &str = "FLEET_TEST_WORLD";

const CHILD_READY: &str = "gateway at ";

/// The process that is killed below. It serves until then; started by hand, without a world, it does nothing.
#[tokio::test]
#[ignore = "started by the test that kills it"]
async fn child_that_is_killed() {
    let Some(path) = std::env::var_os(CHILD_WORLD) else { return };
    let handle = served(Path::new(&path), plan(1, 2), 600).await;
    println!("{CHILD_READY}{}", handle.addresses()[0]);
    std::future::pending::<()>().await;
}

/// A process that does not outlive its test, however that ends.
struct Child(std::process::Child);

impl Drop for Child {
    /// SIGKILL on Unix.
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Runs [`child_that_is_killed`] in a process of its own and gives its gateway's address.
fn child_process(path: &Path) -> (Child, SocketAddr) {
    use std::io::BufRead;

    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fleet::tests::world::child_that_is_killed", "--ignored", "--nocapture"])
        .env(CHILD_WORLD, path)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(child.stdout.take().unwrap());
    // The harness may have begun a line of its own in front.
    let mut lines = output.lines().map_while(Result::ok);
    let address = lines.find_map(|line| line.split_once(CHILD_READY)?.1.trim().parse().ok());
    (Child(child), address.expect("the child says where it listens"))
}

#[tokio::test]
async fn kill_minus_nine_loses_no_answered_sale_and_no_energy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let mut last: Option<Poll> = None;
    for round in 1..=3 {
        let (child, address) = child_process(&path);
        let mut stream = TcpStream::connect(address).await.unwrap();
        let before = poll(&mut stream, 1).await;
        if let Some(last) = last {
            assert_eq!((before.count, before.remaining), (last.count, last.remaining), "round {round}");
            assert!(before.total >= last.total, "round {round}");
        }
        let other = Fleet::open(&path, plan(1, 2)).await;
        assert!(matches!(other, Err(FleetError::InUse { .. })), "another process must be refused: {other:?}");
        sell(&mut stream, 1, 5_000, before.count + 1).await;
        let after = poll(&mut stream, 1).await;
        // Traffic that is still being committed when the end comes.
        for _ in 0..20 {
            stream.write_all(&framed(&[2, 3, 2, 0, 0, 48])).await.unwrap();
        }
        drop(child);
        assert_eq!((after.count, after.remaining), (before.count + 1, before.remaining + 5_000));
        last = Some(after);
    }
}

#[tokio::test]
async fn one_world_has_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let first = opened(&path, plan(1, 1)).await;
    let second = Fleet::open(&path, plan(1, 1)).await;
    assert!(matches!(second, Err(FleetError::InUse { .. })), "{second:?}");
    first.close().await.unwrap();
    opened(&path, plan(1, 1)).await.close().await.unwrap();
}

#[tokio::test]
async fn a_changed_meter_list_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("world");
    let handle = served(&path, plan(1, 3), 1).await;
    handle.shutdown().await.unwrap();

    let mut gone = plan(1, 3);
    gone.meters[1].number = "202699999999".into();
    let error = Fleet::open(&path, gone).await.unwrap_err();
    assert!(matches!(&error, FleetError::MeterGone { number } if *number == number_of(2)), "{error}");
    let again = opened(&path, plan(1, 3)).await;
    assert_eq!(again.meters_created(), 0, "a refused plan adds nothing");
    again.close().await.unwrap();
    let mut moved = plan(1, 3);
    moved.meters[2].unit = 7;
    let error = Fleet::open(&path, moved).await.unwrap_err();
    assert!(matches!(&error, FleetError::MeterMoved { number, .. } if *number == number_of(3)), "{error}");
    let mut twice = plan(1, 3);
    twice.meters[2].unit = 1;
    assert!(matches!(Fleet::open(&path, twice).await, Err(FleetError::UnitTwice { unit: 1, .. })));
}

fn number_of(unit: u8) -> String {
    number(0, unit)
}
