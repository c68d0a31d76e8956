//! The 60 data bytes of function 20H @0200H, shared by settings and money. Each field has a flag byte before it; the
//! meter applies a field only where the flag is 1.

use crate::wire::Request;

const LEN: usize = 60;

/// Where a field's flag stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Enable = 0,
    Remaining = 2,
    Count = 7,
    Total = 10,
    BaseFree = 15,
    Alarms = 20,
    Prices = 29,
    Overdraft = 46,
    MeterNumber = 53,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParameterFrame([u8; LEN]);

impl ParameterFrame {
    pub(crate) const EMPTY: Self = Self([0; LEN]);

    /// Sets the flag and the bytes after it.
    pub(crate) fn set(&mut self, slot: Slot, value: &[u8]) {
        let bytes = self.0.iter_mut().skip(slot as usize);
        for (to, from) in bytes.zip(core::iter::once(&1).chain(value)) {
            *to = *from;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// `BYTES` bytes after the flag of a field as it would be applied; `None` where the flag is not set. `at` counts
    /// bytes from the flag, 1 for the first.
    pub(crate) fn written<const BYTES: usize>(&self, slot: Slot, at: usize) -> Option<[u8; BYTES]> {
        let field = self.0.get(slot as usize..)?;
        match field.first() {
            Some(1) => field.get(at..)?.first_chunk().copied(),
            _ => None,
        }
    }

    /// A 32-bit number of a field.
    pub(crate) fn number(&self, slot: Slot, at: usize) -> Option<i64> {
        self.written::<4>(slot, at).map(|bytes| u32::from_be_bytes(bytes).into())
    }

    pub(crate) const fn request(&self) -> Request<'_> {
        Request::vendor_fixed::<0x0200, LEN>(&self.0)
    }
}
