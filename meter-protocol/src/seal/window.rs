//! Which counters of an epoch have been seen.

use super::{Form, REPLAY_WINDOW};

/// The highest counter and a bit for each of the 64 up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    top: Option<u32>,
    bits: u64,
}

impl Window {
    /// Everything up to and including `mark` counts as seen.
    pub(super) const fn after(mark: u32) -> Self {
        Self { top: Some(mark), bits: u64::MAX }
    }

    pub(super) fn is_new(&self, form: Form, counter: u32) -> bool {
        match (form, self.top) {
            (Form::Stream, None) => counter == 0,
            (Form::Stream, Some(top)) => top.checked_add(1) == Some(counter),
            (Form::Datagram, None) => true,
            (Form::Datagram, Some(top)) if counter > top => true,
            (Form::Datagram, Some(top)) => {
                let behind = top.saturating_sub(counter);
                behind < REPLAY_WINDOW && self.bits & bit(behind) == 0
            }
        }
    }

    pub(super) fn mark(&mut self, counter: u32) {
        match self.top {
            Some(top) if counter <= top => self.bits |= bit(top.saturating_sub(counter)),
            Some(top) => {
                let step = counter.saturating_sub(top);
                self.bits = self.bits.checked_shl(step).unwrap_or(0) | 1;
                self.top = Some(counter);
            }
            None => *self = Self { top: Some(counter), bits: 1 },
        }
    }
}

/// Bit of the counter that is `behind` the highest; none beyond the window.
fn bit(behind: u32) -> u64 {
    1_u64.checked_shl(behind).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn each_counter_counts_once_and_late_ones_within_the_window(
            counters in prop::collection::vec(0_u32..300, 1..200),
        ) {
            let (mut window, mut seen) = (Window::default(), BTreeSet::new());
            for counter in counters {
                let top = seen.last().copied();
                let expected = !seen.contains(&counter) && top.is_none_or(|top| counter + REPLAY_WINDOW > top);
                prop_assert_eq!(window.is_new(Form::Datagram, counter), expected);
                if expected {
                    window.mark(counter);
                    seen.insert(counter);
                }
            }
        }
    }

    #[test]
    fn a_stream_takes_only_the_next() {
        let mut window = Window::default();
        for counter in 0..5 {
            let taken: Vec<u32> = (0..9).filter(|other| window.is_new(Form::Stream, *other)).collect();
            assert_eq!(taken, [counter]);
            window.mark(counter);
        }
        assert!(!Window::after(u32::MAX).is_new(Form::Stream, 0));
    }

    #[test]
    fn after_a_restart_nothing_up_to_the_mark_is_new() {
        let window = Window::after(100);
        assert!((0..=100).all(|counter| !window.is_new(Form::Datagram, counter)));
        assert!(window.is_new(Form::Datagram, 101));
    }
}
