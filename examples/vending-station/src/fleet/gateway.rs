//! The TCP side of a bus: a serial server that passes RTU frames.

use std::time::{Duration, Instant};

use meter_protocol::virtual_meter::{FRAME_MAX_BYTES, RequestCut, cut_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::line::Order;
use super::stats::SharedStats;

/// Connections that one gateway takes at a time.
const CONNECTIONS_MAX: usize = 8;
/// Replies that may wait for a client that does not read.
const REPLIES_MAX: usize = 64;
/// So long without a byte ends whatever has come in. On TCP the silence between characters of a real line is lost;
/// this is longer than a loopback or a local network takes between two parts of a frame.
const SILENCE: Duration = Duration::from_millis(50);
/// Shortest byte string that is worth putting on the line: unit, function, check sum.
const FRAME_MIN_BYTES: usize = 4;
/// How long a client may take to accept a reply.
const WRITE_LIMIT: Duration = Duration::from_secs(5);

/// Takes connections until it is stopped.
pub(super) async fn accept(
    listener: TcpListener,
    orders: mpsc::Sender<Order>,
    stats: SharedStats,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.changed() => return,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) if connections.len() < CONNECTIONS_MAX => {
                stats.connection();
                connections.spawn(serve(stream, orders.clone(), stats.clone()));
            }
            Ok(_) => stats.connection_refused(),
            Err(error) => {
                tracing::warn!(%error, "a gateway could not take a connection");
                tokio::time::sleep(SILENCE).await;
            }
        }
    }
}

/// One connection: bytes in become frames for the line, bytes from the line go out as they come.
async fn serve(stream: TcpStream, orders: mpsc::Sender<Order>, stats: SharedStats) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let (mut reader, mut writer) = stream.into_split();
    let (back, mut replies) = mpsc::channel::<Vec<u8>>(REPLIES_MAX);
    let writing = async {
        while let Some(bytes) = replies.recv().await {
            let written = tokio::time::timeout(WRITE_LIMIT, writer.write_all(&bytes)).await;
            if !matches!(written, Ok(Ok(()))) {
                return;
            }
        }
    };
    let reading = async {
        let mut cutter = Cutter { stream: Vec::with_capacity(2 * FRAME_MAX_BYTES), orders, back, stats };
        let mut chunk = [0; FRAME_MAX_BYTES];
        loop {
            let read = if cutter.stream.is_empty() {
                reader.read(&mut chunk).await
            } else {
                match tokio::time::timeout(SILENCE, reader.read(&mut chunk)).await {
                    Ok(read) => read,
                    Err(_) => {
                        cutter.silence();
                        continue;
                    }
                }
            };
            match read {
                Ok(0) | Err(_) => return,
                Ok(count) => cutter.take(&chunk[..count]),
            }
        }
    };
    // Requests of a connection that is gone stay in the line's queue and still act, as on a real serial server.
    tokio::select! {
        () = writing => {}
        () = reading => {}
    }
}

/// Cuts a stream of bytes into requests.
struct Cutter {
    stream: Vec<u8>,
    orders: mpsc::Sender<Order>,
    back: mpsc::Sender<Vec<u8>>,
    stats: SharedStats,
}

impl Cutter {
    /// Takes bytes and passes on every request that is complete by its length.
    fn take(&mut self, bytes: &[u8]) {
        self.stream.extend_from_slice(bytes);
        while let RequestCut::Frame(length) = cut_request(&self.stream) {
            let frame = self.stream.drain(..length).collect();
            self.order(frame);
        }
        if self.stream.len() > 2 * FRAME_MAX_BYTES {
            // Nobody sends so much without a pause: not a master.
            self.stats.bad_frame();
            self.stream.clear();
        }
    }

    /// Silence ends a frame whose length is not known from its function.
    fn silence(&mut self) {
        let frame = std::mem::take(&mut self.stream);
        if (FRAME_MIN_BYTES..=FRAME_MAX_BYTES).contains(&frame.len()) && is_whole(&frame) {
            self.order(frame);
        } else {
            self.stats.bad_frame();
        }
    }

    fn order(&self, frame: Vec<u8>) {
        let order = Order { frame, arrived: Instant::now(), back: self.back.clone() };
        if self.orders.try_send(order).is_err() {
            self.stats.overflowed();
        }
    }
}

/// Whether a byte string between two silences has a good check sum.
fn is_whole(frame: &[u8]) -> bool {
    meter_protocol::virtual_meter::check_sum_is_good(frame)
}
