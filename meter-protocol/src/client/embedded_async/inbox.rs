//! Between the future that reads and the ones that come and go: a small buffer and a waker.

use core::cell::RefCell;
use core::convert::Infallible;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use embedded_io_async::Read;

/// Bytes kept until somebody takes them: an echo and a reply.
const ROOM: usize = 512;
/// Bytes read and handed over at once.
const PIECE: usize = 64;

/// What has come in.
pub(super) enum Arrival<E> {
    /// The first `len` of these bytes.
    Bytes { bytes: [u8; PIECE], len: usize },
    /// A read failed.
    Failed(E),
    /// The port has ended.
    Ended,
}

/// What has come in and was not taken yet.
#[derive(Debug)]
pub(super) struct Inbox<E> {
    state: RefCell<State<E>>,
}

#[derive(Debug)]
struct State<E> {
    bytes: [u8; ROOM],
    len: usize,
    failed: Option<E>,
    ended: bool,
    /// Of whom waits for something to take.
    waker: Option<Waker>,
}

impl<E> Inbox<E> {
    pub(super) const fn new() -> Self {
        let state = State { bytes: [0; ROOM], len: 0, failed: None, ended: false, waker: None };
        Self { state: RefCell::new(state) }
    }

    /// The oldest bytes, then an error, then the end. Borrows are never held over a pause.
    pub(super) fn take(&self) -> Option<Arrival<E>> {
        let mut state = self.state.try_borrow_mut().ok()?;
        if state.len == 0 {
            let failed = state.failed.take().map(Arrival::Failed);
            return failed.or(if state.ended { Some(Arrival::Ended) } else { None });
        }
        let mut bytes = [0; PIECE];
        let len = state.len.min(PIECE);
        for (to, from) in bytes.iter_mut().zip(&state.bytes) {
            *to = *from;
        }
        let all = state.len;
        state.bytes.copy_within(len..all, 0);
        state.len = all.saturating_sub(len);
        Some(Arrival::Bytes { bytes, len })
    }

    /// Ready when [`Inbox::take`] has something.
    pub(super) fn poll_ready(&self, context: &Context<'_>) -> Poll<()> {
        // Borrowed only if `take` or `change` were under way, which never pause.
        let Ok(mut state) = self.state.try_borrow_mut() else { return Poll::Ready(()) };
        if state.len > 0 || state.failed.is_some() || state.ended {
            return Poll::Ready(());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn change(&self, change: impl FnOnce(&mut State<E>)) {
        let Ok(mut state) = self.state.try_borrow_mut() else { return };
        change(&mut state);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Reads for ever. A read that fails at once, again and again, lets others run in between.
pub(super) async fn receive<R: Read>(rx: &mut R, inbox: &Inbox<R::Error>) -> Infallible {
    let mut piece = [0; PIECE];
    loop {
        match rx.read(&mut piece).await {
            Ok(0) => {
                inbox.change(|state| state.ended = true);
                core::future::pending::<()>().await;
            }
            Ok(len) => inbox.change(|state| {
                // Bytes that nobody has taken while so many came are late ones.
                if state.len.saturating_add(len) > ROOM {
                    state.len = 0;
                }
                let room = state.bytes.iter_mut().skip(state.len);
                for (to, from) in room.zip(piece.iter().take(len)) {
                    *to = *from;
                }
                state.len = state.len.saturating_add(len);
            }),
            Err(error) => {
                inbox.change(|state| state.failed = Some(error));
                pause().await;
            }
        }
    }
}

/// Lets the other futures of the task run.
pub(super) async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if paused {
            return Poll::Ready(());
        }
        paused = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
