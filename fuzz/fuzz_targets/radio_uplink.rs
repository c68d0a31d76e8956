//! A meter on a radio that sends anything: its frames, a stream of them, and the station's side of its connection.
//!
//! Input: what it is. Frames are a command and a body; a stream is raw; a connection is settings, then steps.
//!
//! It must hold that a message written again is the same message, in both directions; that a stream gives the same
//! frames however it is cut, and every byte is in a frame or counted; that nothing is asked of a meter that was not
//! admitted; that each request ends once; that closing comes once and last; that a driver that does its duty always
//! gets on.
#![no_main]

use fuzz::{Asked, Tape, crc16_bitwise};
use libfuzzer_sys::fuzz_target;
use meter_protocol::acrel::{Clock, LinkId};
use meter_protocol::uplink::radio::{
    Cutter, Down, Frame, HeartbeatAnswer, MAX_FRAME_LEN, OddUpload, Serial, Station, StationConfig, StationEvent, Up,
    UploadContent,
};

/// Most steps of a connection.
const MAX_STEPS: usize = 120;
const SERIALS: [&str; 2] = ["00000000000001", "00000000000002"];

fuzz_target!(|bytes: &[u8]| {
    let mut tape = Tape::new(bytes);
    match tape.byte() % 4 {
        0 => messages(&framed(tape.byte(), tape.rest())),
        1 => messages(tape.rest()),
        2 => cut(tape.rest()),
        _ => connection(tape),
    }
});

/// A frame with a CRC that fits.
fn framed(command: u8, body: &[u8]) -> Vec<u8> {
    let covered = [&[command], body].concat();
    [&[0x7B, 0x7B][..], &covered, &crc16_bitwise(&covered).to_le_bytes(), &[0x7D, 0x7D]].concat()
}

fn messages(bytes: &[u8]) {
    let Ok(frame) = Frame::decode(bytes) else { return };
    assert_eq!(framed(frame.command().byte(), frame.body()), bytes);
    let mut buf = [0; MAX_FRAME_LEN];
    if let Ok(up) = Up::parse(frame) {
        if let Ok(again) = up.encode(&mut buf) {
            assert_eq!(Up::parse(Frame::decode(again).expect("our own frame")), Ok(up));
        }
        if let Up::Upload(upload) = up {
            let is_block = upload.realtime().is_ok();
            assert!(!is_block || matches!(upload.content, UploadContent::Registers { .. }));
        }
    }
    if let Ok(down) = Down::parse(frame) {
        match down.encode(&mut buf) {
            Ok(again) => assert_eq!(again, bytes),
            Err(error) => assert!(matches!(down, Down::Request { unit: 0, .. }), "{error}"),
        }
    }
}

/// The same frames, however the stream is cut; every byte is in a frame or counted.
fn cut(bytes: &[u8]) {
    let whole = frames_of(bytes, bytes.len().max(1));
    assert_eq!(frames_of(bytes, 1), whole);
    let (frames, discarded) = whole;
    let in_frames: usize = frames.iter().map(Vec::len).sum();
    assert_eq!(in_frames + usize::try_from(discarded).expect("short"), bytes.len());
}

fn frames_of(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, u32) {
    let (mut cutter, mut frames) = (Cutter::new(), Vec::new());
    let mut keep = |cutter: &Cutter| {
        frames.extend(cutter.frame().map(|frame| framed(frame.command().byte(), frame.body())));
    };
    for piece in bytes.chunks(piece) {
        let mut rest = piece;
        while !rest.is_empty() {
            let taken = cutter.feed(rest);
            assert!(taken > 0 || cutter.frame().is_some(), "no progress");
            rest = &rest[taken..];
            keep(&cutter);
        }
    }
    // The stream falls silent: what is left may hold frames behind a false start.
    loop {
        cutter.feed(&[]);
        keep(&cutter);
        if cutter.frame().is_some() {
            continue;
        }
        if !cutter.has_part() {
            break;
        }
        cutter.give_up();
        keep(&cutter);
    }
    (frames, cutter.discarded())
}

struct Connection {
    station: Station,
    now_us: u64,
    admitted: Option<Serial>,
    registering: bool,
    under_way: bool,
    closed: bool,
    /// The RTU frame that was sent last.
    asked: Vec<u8>,
}

fn connection(mut tape: Tape<'_>) {
    let mut config = StationConfig::DEFAULT;
    config.heartbeat_answer = tape.pick(&[HeartbeatAnswer::None, HeartbeatAnswer::Empty]);
    config.odd_upload = tape.pick(&[OddUpload::Keep, OddUpload::Acknowledge]);
    config.garbage_max_bytes = tape.byte().into();
    let station = Station::new(0, config, LinkId::first(1));
    let mut connection = Connection {
        station,
        now_us: 0,
        admitted: None,
        registering: false,
        under_way: false,
        closed: false,
        asked: Vec::new(),
    };
    for _ in 0..MAX_STEPS {
        if tape.is_over() {
            break;
        }
        connection.step(&mut tape);
    }
    connection.station.link_down(connection.now_us);
    connection.serve();
    assert!(connection.closed && !connection.under_way, "a connection ends with its event and no request");
}

impl Connection {
    fn step(&mut self, tape: &mut Tape<'_>) {
        match tape.byte() % 13 {
            0 => {
                let mut body = serial_bytes(tape).to_vec();
                body.resize(58, b'8');
                self.hear(&framed(0x84, &body));
            }
            1 => self.decide(tape.flag()),
            2 => {
                let (command, body) = (tape.byte(), tape.counted());
                self.hear(&framed(command, body));
            }
            3 => {
                let body = [&serial_bytes(tape)[..], tape.counted()].concat();
                self.hear(&framed(tape.pick(&[0x90, 0x91, 0x93, 0x94]), &body));
            }
            4 => self.upload(tape),
            5 => self.answer(tape),
            6 => {
                let raw = tape.counted();
                self.hear(raw);
            }
            7 => {
                let (unit, asked) = (tape.byte(), Asked::from_tape(tape));
                let Some(request) = asked.request() else { return };
                let taken = self.station.submit(self.now_us, unit, &request).is_ok();
                self.submitted(taken);
            }
            8 => {
                let body = tape.counted();
                let frame = [body, &crc16_bitwise(body).to_le_bytes()].concat();
                let taken = self.station.submit_frame(self.now_us, &frame).is_ok();
                self.submitted(taken);
            }
            9 => self.station.cancel(self.now_us),
            10 => {
                self.now_us += u64::from(tape.word()) * 50_000;
                self.station.handle_timeout(self.now_us);
            }
            11 => {
                let clock = Clock::new(2026, 3, 5, 14, 7, 30).expect("a time");
                assert!(self.station.answer_time(clock).is_err() || self.admitted.is_some());
            }
            _ => self.wait(),
        }
        self.serve();
    }

    fn submitted(&mut self, taken: bool) {
        assert!(!taken || (self.admitted.is_some() && !self.under_way), "a request that nobody may send");
        self.under_way |= taken;
        assert_eq!(self.station.is_busy(), self.under_way);
    }

    fn decide(&mut self, admit: bool) {
        if admit {
            self.station.admit();
        } else {
            self.station.refuse(self.now_us);
        }
        let serial = self.station.serial();
        assert!(serial.is_none() || serial == self.admitted || (admit && self.registering));
        (self.admitted, self.registering) = (serial, false);
    }

    fn upload(&mut self, tape: &mut Tape<'_>) {
        let (filler, with_serial) = (tape.byte(), tape.flag());
        let len = tape.pick(&[96_u8, 94, 50, 2]);
        let mut reply = [&[1, 3, len][..], &vec![filler; len.into()]].concat();
        reply.extend(crc16_bitwise(&reply).to_le_bytes());
        let serial = if with_serial { &serial_bytes(tape)[..] } else { &[] };
        self.hear(&framed(0x91, &[serial, b"[[1-1((", &reply, b"))]]"].concat()));
    }

    /// The meter answers with its own frame, with a filler, or with its serial alone.
    fn answer(&mut self, tape: &mut Tape<'_>) {
        let (filler, kind) = (tape.byte(), tape.byte() % 3);
        let mut reply = self.asked.clone();
        if kind == 0 && reply.len() == 8 {
            let bytes = reply[5].wrapping_mul(2);
            reply = [&[reply[0], reply[1], bytes][..], &vec![filler; bytes.into()]].concat();
            reply.extend(crc16_bitwise(&reply).to_le_bytes());
        }
        if kind == 1 {
            reply = Vec::new();
        }
        let serial = if tape.flag() || kind == 1 { &serial_bytes(tape)[..] } else { &[] };
        self.hear(&framed(0x90, &[serial, &reply].concat()));
    }

    /// Bytes arrive; the driver serves the station whenever it takes none.
    fn hear(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        // Frames that lie behind a false start come out first, without a byte being taken.
        for _ in 0..2 * (bytes.len() + MAX_FRAME_LEN) {
            if rest.is_empty() {
                return;
            }
            let taken = self.station.receive(self.now_us, rest);
            rest = &rest[taken..];
            self.serve();
            if self.registering {
                self.decide(true);
            }
        }
        assert!(rest.is_empty(), "no progress");
    }

    fn wait(&mut self) {
        if let Some(at_us) = self.station.poll_timeout() {
            self.now_us = self.now_us.max(at_us);
        }
        self.station.handle_timeout(self.now_us);
    }

    fn serve(&mut self) {
        let mut buf = [0; MAX_FRAME_LEN];
        loop {
            self.events();
            let Some(frame) = self.station.poll_transmit(self.now_us, &mut buf) else { break };
            let frame = Frame::decode(frame).expect("our own frame");
            assert!(self.admitted.is_some(), "nothing is sent to a meter that was not admitted");
            if let Ok(Down::Request { .. }) = Down::parse(frame) {
                assert!(self.under_way);
                self.asked = frame.body().to_vec();
            }
            self.station.transmitted(self.now_us);
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.station.poll_event() {
            assert!(!self.closed, "{event:?} after closing");
            match event {
                StationEvent::Registering(_) => self.registering = true,
                StationEvent::Heartbeat
                | StationEvent::TimeAsked
                | StationEvent::Upload(_)
                | StationEvent::Alarm(_) => {
                    assert!(self.admitted.is_some());
                }
                StationEvent::Foreign { serial } => assert!(self.admitted.is_some_and(|own| own != serial)),
                StationEvent::Transaction(_) => {
                    assert!(self.under_way, "one end for each request");
                    self.under_way = false;
                }
                StationEvent::Closed(reason) => {
                    assert!(!reason.to_string().is_empty());
                    (self.closed, self.admitted, self.registering) = (true, None, false);
                }
                _ => {}
            }
        }
    }
}

fn serial_bytes(tape: &mut Tape<'_>) -> [u8; 20] {
    *Serial::new(tape.pick(&SERIALS)).expect("short").as_bytes()
}
