//! The station's side of the sealed link: answers the gateway's question, takes what it reads, gives commands, and breaks the
//! connection now and then.

use crate::{
    plan::Plan,
    world::{METERS, World, now_ms, number},
};
use meter_protocol::{
    acrel::{Realtime, RealtimeLayout},
    seal::{
        Answer, Deframer, HelloRequest, Link, MAX_FRAME_LEN, MAX_PAYLOAD_LEN, Nonce, PeerKeys,
        message::{Ack, Envelope, Message, MessageId, Snapshot},
    },
};
use std::{
    collections::{BTreeMap, HashSet},
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

/// A command without a result is sent again after this long.
const RESEND_AFTER_MS: i64 = 2_000;
/// The connection is broken after so many messages, where breaks are asked for.
const BREAK_AFTER_MESSAGES: u32 = 700;

/// What the station knows and has counted.
pub struct Station {
    keys: PeerKeys,
    world: World,
    random: fastrand::Rng,
    pub plan: Plan,
    /// Snapshots by unit, each id once.
    pub rounds: BTreeMap<u8, u32>,
    last_total: BTreeMap<u8, u32>,
    seen: HashSet<[u8; 16]>,
    pub sessions: u32,
    pub repeated: u32,
    pub refused: u32,
    pub wrong: Vec<String>,
    breaks: bool,
}

enum State {
    New,
    Answered(Box<Answer>),
    Up(Box<Link>),
}

/// Why a connection is over.
enum End {
    Closed,
    Broken,
    Done,
}

impl Station {
    pub fn new(keys: PeerKeys, world: World, seed: u64, commands: u32, breaks: bool) -> Self {
        Self {
            keys,
            world,
            random: fastrand::Rng::with_seed(seed ^ 0x5EA1),
            plan: Plan::new(seed, commands),
            rounds: (1..=METERS).map(|unit| (unit, 0)).collect(),
            last_total: BTreeMap::new(),
            seen: HashSet::new(),
            sessions: 0,
            repeated: 0,
            refused: 0,
            wrong: Vec::new(),
            breaks,
        }
    }

    /// Rounds that every meter has had.
    pub fn rounds_done(&self) -> u32 {
        self.rounds.values().copied().min().unwrap_or(0)
    }

    /// Serves a connection. True when everything asked for has happened.
    pub fn serve(&mut self, mut socket: TcpStream, rounds: u32) -> std::io::Result<bool> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let (mut state, mut deframer, mut messages) = (State::New, Deframer::new(), 0_u32);
        loop {
            match socket.read(deframer.room()) {
                Ok(0) => return Ok(false),
                Ok(count) => deframer.filled(count),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return Ok(false),
            }
            let frame = match deframer.frame() {
                Ok(frame) => frame.map(<[u8]>::to_vec),
                Err(_) => {
                    self.refused += 1;
                    return Ok(false);
                }
            };
            if let Some(frame) = frame {
                deframer.clear();
                messages += 1;
                if let End::Broken = self.frame(&frame, &mut state, &mut socket)? {
                    self.refused += 1;
                    return Ok(false);
                }
            }
            if let State::Up(link) = &mut state {
                let now = now_ms();
                self.plan.refill(now);
                for (id, command) in self.plan.due(now, RESEND_AFTER_MS) {
                    send(link, &mut socket, &Envelope { id, message: Message::Command(command) })?;
                }
            }
            if self.rounds_done() >= rounds && self.plan.is_done() {
                return Ok(true);
            }
            if self.breaks && messages > BREAK_AFTER_MESSAGES {
                return Ok(false);
            }
        }
    }

    fn frame(&mut self, frame: &[u8], state: &mut State, socket: &mut TcpStream) -> std::io::Result<End> {
        *state = match std::mem::replace(state, State::New) {
            State::New => {
                let nonce = self.nonce();
                let answer = HelloRequest::read(frame).and_then(|hello| hello.answer(&self.keys, nonce));
                let Ok(answer) = answer else { return Ok(End::Broken) };
                socket.write_all(answer.frame())?;
                State::Answered(Box::new(answer))
            }
            State::Answered(mut answer) => {
                // The question may have been asked twice before the answer came.
                if HelloRequest::read(frame).is_ok() {
                    return Ok(End::Broken);
                }
                let Ok(link) = answer.confirm(frame) else { return Ok(End::Broken) };
                self.sessions += 1;
                self.plan.all_due();
                State::Up(Box::new(link))
            }
            State::Up(mut link) => {
                let mut payload = [0; MAX_PAYLOAD_LEN];
                let Ok(payload) = link.open(frame, &mut payload) else { return Ok(End::Broken) };
                match Envelope::parse(payload) {
                    Ok(envelope) => self.message(&envelope, &mut link, socket)?,
                    Err(error) => self.wrong.push(error.to_string()),
                }
                State::Up(link)
            }
        };
        Ok(if matches!(state, State::New) { End::Closed } else { End::Done })
    }

    fn nonce(&mut self) -> Nonce {
        Nonce(self.random.u128(..).to_be_bytes())
    }

    fn message(&mut self, envelope: &Envelope<'_>, link: &mut Link, socket: &mut TcpStream) -> std::io::Result<()> {
        match envelope.message {
            Message::Snapshot(snapshot) => {
                if self.seen.insert(envelope.id.0) {
                    self.snapshot(&snapshot);
                } else {
                    self.repeated += 1;
                }
            }
            Message::Result(result) => self.plan.take(&result, now_ms()),
            _ => return Ok(()),
        }
        let ack = Message::Ack(Ack { ids: &[envelope.id.0] });
        let id = MessageId(self.random.u128(..).to_be_bytes());
        send(link, socket, &Envelope { id, message: ack })
    }

    /// What a meter showed can only lie between what it showed before and what it shows by now.
    fn snapshot(&mut self, snapshot: &Snapshot<'_>) {
        let unit = snapshot.meter.unit;
        let parsed = Realtime::parse(RealtimeLayout::FourRate, snapshot.block.data);
        let total = parsed.map(|realtime| realtime.energy.total_centikwh);
        let now = self.world.look(|bus| {
            let meter = bus.meters().iter().find(|meter| meter.unit() == unit);
            meter.map(|meter| meter.energies_mj().iter().sum::<u64>() / 36_000)
        });
        let last = self.last_total.get(&unit).copied().unwrap_or(0);
        match (total, now) {
            (Ok(total), Some(now)) if last <= total && u64::from(total) <= now => {
                self.last_total.insert(unit, total);
            }
            other => self.wrong.push(format!("unit {unit} showed {other:?} after {last}")),
        }
        if snapshot.meter.number.to_string().bytes().map(|digit| digit - b'0').ne(number(unit)) {
            self.wrong.push(format!("unit {unit} is not {}", snapshot.meter.number));
        }
        *self.rounds.entry(unit).or_default() += 1;
    }
}

fn send(link: &mut Link, socket: &mut TcpStream, envelope: &Envelope<'_>) -> std::io::Result<()> {
    let (mut payload, mut frame) = ([0; MAX_PAYLOAD_LEN], [0; MAX_FRAME_LEN]);
    let payload = envelope.emit(&mut payload).map_err(std::io::Error::other)?;
    let frame = link.seal(payload, &mut frame).map_err(std::io::Error::other)?;
    socket.write_all(frame)
}
