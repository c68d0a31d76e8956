//! Bytes of a connection to requests, and replies back.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use meter_protocol::virtual_meter::{Delivery, FRAME_MAX_BYTES, RequestCut, check_sum_is_good, cut_request};
use meter_protocol::wire::crc::crc16;
use meter_protocol::wire::tcp;

use crate::fleet::Fleet;

/// Silence that ends whatever has come in.
const SILENCE: Duration = Duration::from_millis(50);
/// Pieces that wait for their turn before the sender has to.
const PIECES_MAX: usize = 16;

/// Requests as RTU frames in a stream without borders. `line_fits` says whether the sender's speed is the meters'.
pub(crate) fn rtu(
    reader: impl Read + Send + 'static,
    writer: impl Write + Send + 'static,
    fleet: &Fleet,
    line_fits: impl Fn() -> bool,
) {
    let writer = Arc::new(Mutex::new(writer));
    let pieces = pieces_of(reader);
    let mut stream: Vec<u8> = Vec::new();
    let serve = |frame: &[u8]| {
        if line_fits() {
            deliver(fleet.request(frame), &writer, |bytes| bytes);
        }
    };
    loop {
        let piece = match stream.is_empty() {
            true => pieces.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => pieces.recv_timeout(SILENCE),
        };
        match piece {
            Ok(piece) => stream.extend(piece),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                // A frame of a function whose length the meters don't know, or noise.
                let whole = std::mem::take(&mut stream);
                if check_sum_is_good(&whole) {
                    serve(&whole);
                }
            }
        }
        while let RequestCut::Frame(length) = cut_request(&stream) {
            let frame: Vec<u8> = stream.drain(..length).collect();
            serve(&frame);
        }
        if stream.len() > 2 * FRAME_MAX_BYTES {
            // Nobody sends so much without a pause: not a master.
            stream.clear();
        }
    }
}

/// Requests as Modbus/TCP: the header is taken off and put back on.
pub(crate) fn modbus_tcp(mut reader: impl Read, writer: impl Write + Send + 'static, fleet: &Fleet) {
    let writer = Arc::new(Mutex::new(writer));
    loop {
        let mut header = [0; tcp::HEADER_LEN];
        if reader.read_exact(&mut header).is_err() {
            return;
        }
        // After a header that makes no sense nothing tells where the next one starts.
        let Ok(parsed) = tcp::decode_header(&header) else { return };
        let mut frame = vec![0; parsed.pdu_len];
        if reader.read_exact(&mut frame).is_err() {
            return;
        }
        frame.insert(0, parsed.unit);
        frame.extend(crc16(&frame).to_le_bytes());
        let [high, low] = parsed.transaction.to_be_bytes();
        deliver(fleet.request(&frame), &writer, move |reply| {
            // What the line has broken is not passed on by a gateway that checks.
            if !check_sum_is_good(&reply) || reply.len() < 4 {
                return Vec::new();
            }
            let body = reply.get(..reply.len() - 2).unwrap_or_default();
            let [length_high, length_low] = u16::try_from(body.len()).unwrap_or(0).to_be_bytes();
            [&[high, low, 0, 0, length_high, length_low][..], body].concat()
        });
    }
}

/// Writes what comes back when it is due. What a fault holds back does not hold up the next request.
fn deliver(
    deliveries: Vec<Delivery>,
    writer: &Arc<Mutex<impl Write + Send + 'static>>,
    framed: impl Fn(Vec<u8>) -> Vec<u8>,
) {
    for delivery in deliveries {
        let (bytes, writer) = (framed(delivery.bytes), Arc::clone(writer));
        let write = move || {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            // A master that is gone is noticed where its requests are read.
            let _gone = writer.write_all(&bytes).and_then(|()| writer.flush());
        };
        if delivery.delay_us == 0 {
            write();
        } else {
            thread::spawn(move || {
                thread::sleep(Duration::from_micros(delivery.delay_us));
                write();
            });
        }
    }
}

/// Reads in a thread of its own, so that silence can be noticed.
fn pieces_of(mut reader: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, pieces) = sync_channel(PIECES_MAX);
    thread::spawn(move || {
        let mut bytes = [0; FRAME_MAX_BYTES];
        while let Ok(count @ 1..) = reader.read(&mut bytes) {
            if sender.send(bytes[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    pieces
}
