//! A network between collector and station that does what it wants.

use meter_protocol::seal::Deframer;
use std::{
    collections::VecDeque,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

/// How long a stranger waits for an answer.
const PATIENCE: Duration = Duration::from_millis(700);

/// How often a frame is treated badly.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    pub(crate) per_mille: u32,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) connections: u32,
    pub(crate) passed: u32,
    pub(crate) lost: u32,
    pub(crate) doubled: u32,
    pub(crate) mixed: u32,
    pub(crate) altered: u32,
    pub(crate) cut: u32,
}

impl Counts {
    /// How often what happened least has happened.
    pub(crate) fn least(&self) -> u32 {
        [self.lost, self.doubled, self.mixed, self.altered, self.cut].into_iter().min().unwrap_or_default()
    }
}

/// All bytes of a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recording {
    pub(crate) up: Vec<u8>,
    pub(crate) down: Vec<u8>,
    /// Where the second frame of the collector begins.
    pub(crate) first_up: usize,
}

#[derive(Debug)]
struct Shared {
    faults: Faults,
    counts: Counts,
    dice: fastrand::Rng,
    recording: Recording,
    streams: Vec<TcpStream>,
}

#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl Proxy {
    pub(crate) fn start(station: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(Shared {
            faults: Faults::default(),
            counts: Counts::default(),
            dice: fastrand::Rng::with_seed(seed),
            recording: Recording::default(),
            streams: Vec::new(),
        }));
        let all = shared.clone();
        thread::spawn(move || {
            for collector in listener.incoming().map_while(Result::ok) {
                let Ok(station) = TcpStream::connect(station) else { continue };
                for stream in [&collector, &station] {
                    stream.set_nodelay(true).expect("set");
                }
                {
                    let mut shared = all.lock().expect("alive");
                    shared.counts.connections += 1;
                    shared.recording = Recording::default();
                    shared.streams = [&collector, &station].map(|stream| stream.try_clone().expect("cloned")).into();
                }
                let pairs = [(&collector, &station, true), (&station, &collector, false)];
                for (from, to, up) in pairs {
                    let (from, to) = (from.try_clone().expect("cloned"), to.try_clone().expect("cloned"));
                    let all = all.clone();
                    thread::spawn(move || pass(from, to, up, &all));
                }
            }
        });
        Self { address, shared }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, faults: Faults) {
        self.shared.lock().expect("alive").faults = faults;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.shared.lock().expect("alive").counts
    }

    /// Cuts the connection and returns what went over it.
    pub(crate) fn hang_up(&self) -> Recording {
        let mut shared = self.shared.lock().expect("alive");
        for stream in shared.streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        shared.recording.clone()
    }
}

/// One direction of a connection, frame by frame.
fn pass(mut from: TcpStream, mut to: TcpStream, up: bool, shared: &Mutex<Shared>) {
    let mut deframer = Deframer::new();
    let mut held: Option<Vec<u8>> = None;
    let mut frames = 0;
    loop {
        let read = from.read(deframer.room()).unwrap_or(0);
        if read == 0 {
            break;
        }
        deframer.filled(read);
        let frame = match deframer.frame() {
            Ok(Some(frame)) => frame.to_vec(),
            Ok(None) => continue,
            Err(_) => break,
        };
        deframer.clear();
        frames += 1;
        let out = {
            let mut shared = shared.lock().expect("alive");
            let recording = &mut shared.recording;
            if up {
                recording.up.extend_from_slice(&frame);
                recording.first_up = if frames == 1 { frame.len() } else { recording.first_up };
            } else {
                recording.down.extend_from_slice(&frame);
            }
            treat(frame, &mut held, &mut shared)
        };
        match out {
            Some(bytes) if to.write_all(&bytes).is_ok() => {}
            _ => break,
        }
    }
    for stream in [&from, &to] {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

/// What goes on instead of a frame; none: the connection is cut.
fn treat(mut frame: Vec<u8>, held: &mut Option<Vec<u8>>, shared: &mut Shared) -> Option<Vec<u8>> {
    if let Some(earlier) = held.take() {
        frame.extend(earlier);
        shared.counts.mixed += 1;
        return Some(frame);
    }
    if shared.dice.u32(..1000) >= shared.faults.per_mille {
        shared.counts.passed += 1;
        return Some(frame);
    }
    match shared.dice.u32(..5) {
        0 => {
            shared.counts.lost += 1;
            Some(Vec::new())
        }
        1 => {
            shared.counts.doubled += 1;
            Some([frame.clone(), frame].concat())
        }
        2 => {
            // It goes behind the next one.
            *held = Some(frame);
            Some(Vec::new())
        }
        3 => {
            let bit = shared.dice.usize(..frame.len() * 8);
            frame[bit / 8] ^= 1 << (bit % 8);
            shared.counts.altered += 1;
            Some(frame)
        }
        _ => {
            shared.counts.cut += 1;
            None
        }
    }
}

/// Plays bytes to the station and waits until it closes, or has nothing to say any more.
pub(crate) fn play(station: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(station).expect("a connection");
    let _ = stream.write_all(bytes);
    heard(&mut stream);
}

/// So many connections with random bytes; returns how many bytes came back.
pub(crate) fn garbage(station: SocketAddr, connections: u32) -> usize {
    let mut dice = fastrand::Rng::with_seed(u64::from(connections));
    let mut answered = 0;
    for _ in 0..connections {
        let Ok(mut stream) = TcpStream::connect(station) else { continue };
        let bytes: Vec<u8> = (0..dice.usize(1..200)).map(|_| dice.u8(..)).collect();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        answered += heard(&mut stream);
    }
    answered
}

fn heard(stream: &mut TcpStream) -> usize {
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut buffer = [0; 4096];
    let mut total = 0;
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        total += read;
    }
    total
}

/// Somebody who plays a station's recorded bytes to each collector that comes.
pub(crate) fn impostor(down: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut collector in listener.incoming().map_while(Result::ok) {
            let _ = collector.write_all(&down);
            heard(&mut collector);
        }
    });
    address
}

/// Somebody who opens connections, says nothing, and keeps each as long as he may.
pub(crate) struct Holder {
    opened: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Holder {
    /// More than a door takes in at a time.
    const MOST: usize = 200;

    pub(crate) fn start(station: SocketAddr) -> Self {
        let (opened, over) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (opened.clone(), over.clone());
        let thread = thread::spawn(move || {
            let mut held = VecDeque::new();
            while !end.load(Ordering::Relaxed) {
                held.extend(TcpStream::connect(station));
                count.fetch_add(1, Ordering::Relaxed);
                if held.len() > Self::MOST {
                    held.pop_front();
                }
                thread::sleep(Duration::from_millis(10));
            }
        });
        Self { opened, over, thread }
    }

    pub(crate) fn wait_until_full(&self) {
        while self.opened.load(Ordering::Relaxed) < 100 {
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it and returns how many connections there were.
    pub(crate) fn end(self) -> u32 {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("alive");
        self.opened.load(Ordering::Relaxed)
    }
}
