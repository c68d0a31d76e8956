//! A collector in a process of its own, a station with the virtual fleet in another, and between them a bad network: whatever
//! happens, each sale moves the count and the money of its meter once, or not at all.

mod proxy;
mod world;

use proxy::{Faults, Proxy};
use std::time::Duration;
use world::{Collector, World, seed};

/// A test goes on until everything has happened that it is about, but not longer than this.
const ROUNDS_MAX: usize = 60;

/// Sales through a collector that is killed at any moment, again and again.
#[test]
fn a_killed_collector_never_sells_twice() {
    let mut dice = fastrand::Rng::with_seed(seed("a_killed_collector_never_sells_twice"));
    let world = World::start(dice.u64(..));
    let mut collector = Collector::start(&world, None);
    world.wait_until_open();
    let mut interrupted = 0;
    for _ in 0..ROUNDS_MAX {
        for account in world.accounts() {
            world.sell(*account, 10 + dice.u32(..90));
        }
        std::thread::sleep(Duration::from_millis(dice.u64(5..250)));
        collector.kill();
        collector = Collector::start(&world, None);
        world.wait_until_settled();
        interrupted += collector.said_so_far().matches("interrupted").count();
        if interrupted >= 3 {
            break;
        }
    }
    println!("{interrupted} commands were interrupted");
    assert!(interrupted >= 3, "no kill came while a command was under way");
    // Without its collector nothing is guessed: the sale waits, and the page says why.
    collector.kill();
    world.wait_for("the page to miss the collector", |live| live["collectors"][0]["online"] == false);
    let waiting = world.sell(world.accounts()[0], 15).expect("taken");
    assert_eq!(world.sale(waiting)["closed"], false);
    collector = Collector::start(&world, None);
    world.wait_until_settled();
    assert_eq!(world.sale(waiting)["kind"], "applied");
    world.finish_and_audit();
    drop(collector);
}

/// Sales through a station that is killed at any moment: what it had ordered, and what it had not booked yet, is settled by the
/// meters after its restart.
#[test]
fn a_killed_station_never_sells_twice() {
    let mut dice = fastrand::Rng::with_seed(seed("a_killed_station_never_sells_twice"));
    let mut world = World::start(dice.u64(..));
    let mut collector = Collector::start(&world, None);
    world.wait_until_open();
    let mut open_at_a_kill = 0;
    for round in 0..ROUNDS_MAX {
        let sold: Vec<i64> =
            world.accounts().iter().filter_map(|account| world.sell(*account, 10 + dice.u32(..90))).collect();
        std::thread::sleep(Duration::from_millis(dice.u64(5..250)));
        open_at_a_kill += sold.iter().filter(|id| world.sale(**id)["closed"] == false).count();
        world.cut_power();
        collector.kill();
        collector = Collector::start(&world, None);
        world.wait_until_settled();
        if open_at_a_kill >= 6 && round >= 2 {
            break;
        }
    }
    println!("{open_at_a_kill} sales were open when the station was killed");
    assert!(open_at_a_kill >= 6, "no kill came while a sale was open");
    world.finish_and_audit();
    drop(collector);
}

/// Somebody at the collector's own address holds as many connections as he gets, and more all the time.
#[test]
fn who_holds_connections_keeps_no_collector_out() {
    let world = World::start(seed("who_holds_connections_keeps_no_collector_out"));
    let holder = proxy::Holder::start(world.door());
    holder.wait_until_full();
    let collector = Collector::start(&world, None);
    world.wait_until_open();
    let held = holder.end();
    println!("{held} connections were opened without a word");
    assert!(held > 100, "{held}");
    assert_eq!(world.live()["collectors"][0]["online"], true);
    drop(collector);
}

/// A network that loses, doubles, mixes and alters frames and cuts connections.
#[test]
fn a_bad_network_alters_nothing() {
    let seed = seed("a_bad_network_alters_nothing");
    let mut dice = fastrand::Rng::with_seed(seed);
    let world = World::start(dice.u64(..));
    let proxy = Proxy::start(world.door(), dice.u64(..));
    let collector = Collector::start(&world, Some(proxy.address()));
    world.wait_until_open();
    proxy.set(Faults { per_mille: 40 });
    for _ in 0..ROUNDS_MAX {
        for account in world.accounts() {
            world.sell(*account, 10 + dice.u32(..90));
        }
        std::thread::sleep(Duration::from_millis(500));
        if proxy.counts().least() >= 2 {
            break;
        }
    }
    let done = proxy.counts();
    println!("{done:?}");
    assert!(done.least() >= 2, "{done:?}");
    proxy.set(Faults { per_mille: 0 });
    world.wait_until_settled();
    world.finish_and_audit();
    drop(collector);
}

/// Whoever has recorded a whole connection plays it again, to both sides.
#[test]
fn a_recorded_connection_is_worth_nothing() {
    let mut dice = fastrand::Rng::with_seed(seed("a_recorded_connection_is_worth_nothing"));
    let world = World::start(dice.u64(..));
    let proxy = Proxy::start(world.door(), dice.u64(..));
    let mut collector = Collector::start(&world, Some(proxy.address()));
    world.wait_until_open();
    for account in world.accounts() {
        world.sell(*account, 10 + dice.u32(..90));
    }
    world.wait_until_settled();
    let recorded = proxy.hang_up();
    assert!(recorded.up.len() > 1000 && recorded.down.len() > 1000, "{} {}", recorded.up.len(), recorded.down.len());
    world.wait_for("the collector to come back", |live| live["collectors"][0]["sessions"] == 2);
    // The collector's side of the recording, to the station: whole, and from its second frame on.
    for from in [0, recorded.first_up] {
        proxy::play(world.door(), &recorded.up[from..]);
    }
    let live = world.live();
    assert_eq!(live["collectors"][0]["sessions"], 2, "nobody came in by playing");
    assert_eq!(live["collectors"][0]["online"], true, "and nobody was thrown out");
    // The station's side, to a collector: its orders are in there.
    collector.kill();
    collector = Collector::start(&world, Some(proxy::impostor(recorded.down.clone())));
    std::thread::sleep(Duration::from_millis(1500));
    collector.kill();
    collector = Collector::start(&world, Some(proxy.address()));
    world.wait_for("the collector to come back", |live| live["collectors"][0]["sessions"] == 3);
    world.finish_and_audit();
    drop(collector);
}

/// A key file that others can read is not used, and what is said about it names no key.
#[test]
fn an_open_key_file_is_refused_and_no_key_is_ever_told() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::start(seed("an_open_key_file_is_refused_and_no_key_is_ever_told"));
    let collector = Collector::start(&world, None);
    world.wait_until_open();
    let key_file = world.folder().join("keys/K1.keys");
    let text = std::fs::read_to_string(&key_file).expect("a key file");
    let key = text.lines().find_map(|line| line.strip_prefix("key 1 ")).expect("a key").to_owned();
    let told = collector.end();
    std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o644)).expect("changed");
    let refused = Collector::start(&world, None).wait();
    assert!(refused.contains("permissions 644"), "{refused}");
    let garbage = proxy::garbage(world.door(), 1000);
    assert_eq!(garbage, 0, "a stranger is closed without a word");
    world.wait_for("the station to go on", |live| live["collectors"][0]["online"] == false);
    let said = world.kill();
    for text in [told, refused, said] {
        assert!(!text.contains(&key) && !text.contains(&key[..16]), "a key was told");
    }
}
