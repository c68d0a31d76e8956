//! How much a running bill holds.

use alloc::vec::Vec;
use core::borrow::Borrow;

use super::RunningBill;
use super::state::{LadderState, RunningState};
use crate::compile::CompiledTariff;

impl<T: Borrow<CompiledTariff>> RunningBill<T> {
    /// Bytes that this running bill holds now, with everything it points to: at most
    /// [`MAX_RUNNING_BYTES`](crate::limits::MAX_RUNNING_BYTES) where `T` is a reference or a smart pointer.
    ///
    /// Not counted are the tariff and the list of changes of rate ([`buffer_bytes`](Self::buffer_bytes)).
    pub fn memory_bytes(&self) -> usize {
        let state = &self.state;
        let books = state.books.iter().map(|book| {
            let start = book.start.as_ref().map_or(0, ladder_bytes);
            heap_bytes(&book.cells).saturating_add(start)
        });
        [
            size_of::<Self>(),
            heap_bytes(&state.books),
            ladder_bytes(&state.ladder),
            heap_bytes(&state.demand.peaks),
            heap_bytes(&state.demand.history),
            heap_bytes(&state.day_flags),
            state.year.billed.heap_bytes(),
        ]
        .into_iter()
        .chain(books)
        .fold(0, usize::saturating_add)
    }

    /// Bytes of the list of changes of rate, which only a chronological ladder needs whose limits are known at the end of the billing
    /// period. It has at most [`MAX_LADDER_SEGMENTS`](crate::limits::MAX_LADDER_SEGMENTS) entries of 16 bytes.
    pub fn buffer_bytes(&self) -> usize {
        self.state.books.iter().map(|book| heap_bytes(&book.segments)).fold(0, usize::saturating_add)
    }
}

impl RunningState {
    /// Gives back what lists hold beyond their entries, as after reading a stored state.
    pub(super) fn shrink(&mut self) {
        for book in &mut self.books {
            book.cells.shrink_to_fit();
            book.segments.shrink_to_fit();
            if let Some(start) = &mut book.start {
                start.shrink();
            }
        }
        self.books.shrink_to_fit();
        self.ladder.shrink();
        self.demand.peaks.shrink_to_fit();
        self.demand.history.shrink_to_fit();
        self.day_flags.shrink_to_fit();
    }
}

impl LadderState {
    fn shrink(&mut self) {
        self.by_rate.shrink_to_fit();
        self.allowances.shrink_to_fit();
    }
}

fn heap_bytes<E>(list: &Vec<E>) -> usize {
    list.capacity().saturating_mul(size_of::<E>())
}

fn ladder_bytes(ladder: &LadderState) -> usize {
    heap_bytes(&ladder.by_rate).saturating_add(heap_bytes(&ladder.allowances))
}
