//! One connection of a hub.

use super::event::{HubEvent, OddFrame};
use super::meter::{CHECKED_UNIT, Job, JobEnd, Sending};
use super::{MAX_WAITING, Shared, Slot};
use crate::acrel::LinkId;
use crate::session::{self, NotTransmitted, Outcome};
use crate::uplink::forwardable;
use crate::uplink::radio::{CloseReason, MAX_FRAME_LEN, Registration, Serial, Station, StationEvent, UploadContent};
use crate::wire::{Answer, MAX_ADU_LEN, rtu};
use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use ::tokio::sync::{mpsc, oneshot};
use ::tokio::time::{Duration, Instant, sleep_until, timeout};
use std::sync::Arc;

/// Bytes taken from the stream at once.
const READ_LEN: usize = 512;
/// How long a peer may take to take a frame of at most 327 bytes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Where time starts when an `Instant` can't hold a deadline: never soon.
const FAR: Duration = Duration::from_secs(3_600);

/// What an event asks of the connection.
enum Todo {
    Nothing,
    Tell(HubEvent),
    Decide(Registration),
    GiveTime,
    End(JobEnd),
    Close(CloseReason),
}

struct Connection<S> {
    shared: Arc<Shared>,
    stream: S,
    slot: Slot,
    station: Station,
    jobs: (mpsc::Sender<Job>, mpsc::Receiver<Job>),
    /// Who waits for the request under way.
    waiter: Option<oneshot::Sender<JobEnd>>,
    origin: Instant,
    /// The meter, for events after the station has forgotten it.
    serial: Option<Serial>,
}

pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    shared: &Arc<Shared>,
    stream: S,
    slot: Slot,
) -> CloseReason {
    let mut connection = Connection {
        shared: Arc::clone(shared),
        stream,
        slot,
        // Connections are numbered by meter, once one has registered.
        station: Station::new(0, shared.config.station, LinkId::first(u32::MAX)),
        jobs: mpsc::channel(MAX_WAITING),
        waiter: None,
        origin: Instant::now(),
        serial: None,
    };
    let reason = connection.run().await;
    // No more jobs; those that wait have not left.
    connection.jobs.1.close();
    while let Some(job) = connection.jobs.1.recv().await {
        let _gone = job.end.send(JobEnd::NotTransmitted(NotTransmitted::LinkDown));
    }
    let serial = connection.serial;
    drop(connection);
    shared.tell(HubEvent::Closed { serial, reason }).await;
    reason
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn run(&mut self) -> CloseReason {
        let mut bytes = [0; READ_LEN];
        let mut unread = 0..0;
        loop {
            self.station.handle_timeout(self.now_us());
            if let Some(reason) = self.events().await {
                return reason;
            }
            if self.send().await.is_err() {
                self.station.link_down(self.now_us());
                continue;
            }
            if !unread.is_empty() {
                let rest = bytes.get(unread.clone()).unwrap_or_default();
                let taken = self.station.receive(self.now_us(), rest);
                unread.start = unread.start.saturating_add(taken);
                continue;
            }
            let deadline = self.deadline();
            ::tokio::select! {
                arrived = self.stream.read(&mut bytes) => match arrived {
                    Ok(len @ 1..) => unread = 0..len,
                    Ok(0) | Err(_) => self.station.link_down(self.now_us()),
                },
                Some(job) = self.jobs.1.recv(), if self.station.serial().is_some() && !self.station.is_busy() => {
                    self.begin(job);
                }
                () = sleep_until(deadline) => {}
            }
        }
    }

    /// Handles what happened; gives the reason when the connection is of no use any more.
    async fn events(&mut self) -> Option<CloseReason> {
        loop {
            let todo = match self.station.poll_event() {
                None => return None,
                Some(event) => todo(event, self.serial),
            };
            match todo {
                Todo::Nothing => {}
                Todo::Tell(event) => self.shared.tell(event).await,
                Todo::Decide(registration) => self.decide(registration).await,
                Todo::GiveTime => self.give_time().await,
                Todo::End(end) => {
                    if let Some(waiter) = self.waiter.take() {
                        let _gone = waiter.send(end);
                    }
                }
                Todo::Close(reason) => return Some(reason),
            }
        }
    }

    async fn decide(&mut self, registration: Registration) {
        let serial = registration.serial;
        match self.slot.register(serial, &self.jobs.0) {
            Ok(_) => {
                self.serial = Some(serial);
                self.station.admit();
                self.shared.tell(HubEvent::Registered(registration)).await;
            }
            Err(reason) => {
                self.station.refuse(self.now_us());
                self.shared.tell(HubEvent::Refused { serial: Some(serial), reason }).await;
            }
        }
    }

    async fn give_time(&mut self) {
        if let Some(clock) = &self.shared.config.clock {
            // An answer that waits already is sent first; the meter asks again.
            let _later = self.station.answer_time(clock());
        }
        if let Some(serial) = self.serial {
            self.shared.tell(HubEvent::TimeAsked(serial)).await;
        }
    }

    fn begin(&mut self, job: Job) {
        // The frame was built from a request; a factory function would be refused here once more.
        let submitted = match forwardable(&job.frame) {
            Ok((unit, request)) => {
                let now_us = self.now_us();
                let taken = match &job.sending {
                    Sending::Clear { response_timeout_us } => {
                        self.station.submit_within(now_us, unit, &request, *response_timeout_us)
                    }
                    #[cfg(feature = "frame-cipher")]
                    Sending::Enciphered(key) => self.station.submit_enciphered(now_us, unit, &request, key),
                };
                taken.is_ok()
            }
            Err(_) => false,
        };
        if submitted {
            self.waiter = Some(job.end);
        } else {
            let _gone = job.end.send(JobEnd::NotTransmitted(NotTransmitted::LinkDown));
        }
    }

    async fn send(&mut self) -> Result<(), SendFailed> {
        let mut buf = [0; MAX_FRAME_LEN];
        while let Some(frame) = self.station.poll_transmit(self.now_us(), &mut buf) {
            let sent = timeout(WRITE_TIMEOUT, async {
                self.stream.write_all(frame).await?;
                self.stream.flush().await
            });
            match sent.await {
                Ok(Ok(())) => self.station.transmitted(self.now_us()),
                Ok(Err(_)) | Err(_) => return Err(SendFailed),
            }
        }
        Ok(())
    }

    fn deadline(&self) -> Instant {
        let at = self.station.poll_timeout().map(Duration::from_micros);
        let at = at.and_then(|at| self.origin.checked_add(at));
        at.or_else(|| Instant::now().checked_add(FAR)).unwrap_or(self.origin)
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

struct SendFailed;

fn todo(event: StationEvent<'_>, serial: Option<Serial>) -> Todo {
    let odd = |what| Todo::Tell(HubEvent::Odd { serial, what });
    match (event, serial) {
        (StationEvent::Registering(registration), _) => Todo::Decide(registration),
        (StationEvent::TimeAsked, _) => Todo::GiveTime,
        (StationEvent::Transaction(event), _) => Todo::End(job_end(event)),
        (StationEvent::Closed(reason), _) => Todo::Close(reason),
        (StationEvent::Foreign { serial }, _) => odd(OddFrame::Foreign(serial)),
        (StationEvent::Unregistered { command }, _) => odd(OddFrame::Unregistered(command.byte())),
        (StationEvent::Odd(error), _) => odd(OddFrame::Unreadable(error)),
        (StationEvent::Heartbeat, Some(serial)) => Todo::Tell(HubEvent::Heartbeat(serial)),
        (StationEvent::Upload(upload), Some(serial)) => {
            let data = match upload.content {
                UploadContent::Registers { data, .. } => Some(data.to_vec()),
                UploadContent::ReadFailed | UploadContent::Empty => None,
            };
            Todo::Tell(HubEvent::Upload { serial, address: upload.address.into(), data })
        }
        (StationEvent::Alarm(body), Some(serial)) => {
            Todo::Tell(HubEvent::Raw { serial, command: 0x89, body: body.to_vec() })
        }
        (StationEvent::Other { command, body }, Some(serial)) => {
            Todo::Tell(HubEvent::Raw { serial, command: command.byte(), body: body.to_vec() })
        }
        // Only a registered meter is listened to.
        (_, None) => Todo::Nothing,
    }
}

fn job_end(event: session::Event<'_>) -> JobEnd {
    match event.outcome {
        Outcome::Reply(reply) => {
            let mut buf = [0; MAX_ADU_LEN];
            match rtu::encode_answer(CHECKED_UNIT, &Answer::Reply(reply), &mut buf) {
                Ok(frame) => JobEnd::Reply(frame.to_vec()),
                Err(_) => JobEnd::NoReply(session::NoReply::TimedOut),
            }
        }
        Outcome::Exception(exception) => JobEnd::Exception(exception),
        Outcome::NotTransmitted(reason) => JobEnd::NotTransmitted(reason),
        Outcome::NoReply(reason) => JobEnd::NoReply(reason),
    }
}
