//! One sealed connection as two tasks and two queues.

use meter_protocol::seal::tokio::{SealedReader, SealedWriter};
use prepay_core::time::Now;
use std::{sync::Arc, time::Duration};
use tokio::{
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    sync::mpsc,
    task::JoinSet,
    time::{interval, timeout},
};

/// Payloads that may wait in each direction.
const QUEUE: usize = 64;
/// An empty frame is sent when there was nothing else for this long.
const KEEP_ALIVE: Duration = Duration::from_secs(3);
/// A peer that sends nothing for this long is gone.
const SILENCE: Duration = Duration::from_secs(15);
/// How long a frame may take to be written.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Conn {
    /// When its session was begun: everything on it was said later. For the end that measures.
    pub(super) asked: Now,
    /// Payloads to send.
    pub(super) outgoing: mpsc::Sender<Vec<u8>>,
    incoming: mpsc::Receiver<Vec<u8>>,
    _tasks: JoinSet<()>,
}

impl Conn {
    pub(super) fn new(
        name: Arc<str>,
        asked: Now,
        mut reader: SealedReader<OwnedReadHalf>,
        mut writer: SealedWriter<OwnedWriteHalf>,
    ) -> Self {
        let (outgoing, mut to_send) = mpsc::channel::<Vec<u8>>(QUEUE);
        let (received, incoming) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        let code = name.clone();
        tasks.spawn(async move {
            let ended = loop {
                match timeout(SILENCE, reader.recv()).await {
                    Ok(Ok([])) => {}
                    Ok(Ok(payload)) => {
                        if received.send(payload.to_vec()).await.is_err() {
                            return;
                        }
                    }
                    Ok(Err(error)) => break error.to_string(),
                    Err(_) => break "it is silent".to_owned(),
                }
            };
            tracing::info!(collector = &*code, ended, counters = ?reader.counters(), "the connection has ended");
        });
        tasks.spawn(async move {
            let mut alive = interval(KEEP_ALIVE);
            loop {
                let payload = tokio::select! {
                    payload = to_send.recv() => match payload {
                        Some(payload) => payload,
                        None => return,
                    },
                    _ = alive.tick() => Vec::new(),
                };
                match timeout(WRITE_LIMIT, writer.send(&payload)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return tracing::info!(collector = &*name, %error, "nothing can be sent"),
                    Err(_) => return tracing::info!(collector = &*name, "nothing is taken"),
                }
            }
        });
        Self { asked, outgoing, incoming, _tasks: tasks }
    }

    /// A connection whose other end is a test.
    #[cfg(test)]
    pub(super) fn of_test(asked: Now) -> (Self, mpsc::Sender<Vec<u8>>, mpsc::Receiver<Vec<u8>>) {
        let (outgoing, sent) = mpsc::channel(QUEUE);
        let (receive, incoming) = mpsc::channel(QUEUE);
        (Self { asked, outgoing, incoming, _tasks: JoinSet::new() }, receive, sent)
    }

    /// The next payload; none when the connection has ended.
    pub(super) async fn recv(&mut self) -> Option<Vec<u8>> {
        self.incoming.recv().await
    }
}

/// The next payload of a connection that may not be there.
pub(super) async fn next(conn: &mut Option<Conn>) -> Option<Vec<u8>> {
    match conn {
        Some(conn) => conn.recv().await,
        None => std::future::pending().await,
    }
}
