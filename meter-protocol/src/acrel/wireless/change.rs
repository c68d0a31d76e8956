//! Another state of a block, as the writes that lead to it.

use crate::acrel::profile::settled;
use crate::acrel::{BenchTest, BuildError, Profile, WirelessWrites};
use crate::wire::{Registers, Request};
use core::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A run of registers that is written at once: first register and number.
pub(super) type Part = (u16, u16);

/// What has to be written so that a block changes from what the meter showed to what is wanted. Its bytes may be
/// credentials: they are wiped when it is dropped, and `Debug` does not show them.
///
/// Made by `change_from` of the block. Read the block again afterwards: it has to equal the wanted one.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[must_use]
pub struct WirelessChange<const LEN: usize> {
    #[zeroize(skip)]
    block: &'static str,
    #[zeroize(skip)]
    parts: &'static [Part],
    shown: [u8; LEN],
    wanted: [u8; LEN],
}

impl<const LEN: usize> WirelessChange<LEN> {
    pub(super) const fn new(block: &'static str, parts: &'static [Part], shown: [u8; LEN], wanted: [u8; LEN]) -> Self {
        Self { block, parts, shown, wanted }
    }

    /// The writes (10H), in the order of their registers, to be sent one after the other, each once. What stays as it is
    /// is not written, unless the meter only takes whole blocks.
    ///
    /// # Errors
    /// [`BuildError::Unsettled`] while the profile does not say how these settings are written (bench test 17);
    /// [`BuildError::Empty`] when nothing changes.
    pub fn requests(&self, profile: &Profile) -> Result<impl Iterator<Item = Request<'_>> + Clone, BuildError> {
        let how = settled(profile.wireless_writes, "how wireless settings are written", BenchTest::WirelessWrites)?;
        if self.shown == self.wanted {
            return Err(BuildError::Empty { block: self.block });
        }
        let (whole, parts) = match how {
            WirelessWrites::WholeBlock => (Some(&self.wanted[..]), None),
            WirelessWrites::PartByPart => (None, Some(self.changed_parts())),
        };
        let first = self.first();
        let whole = whole.into_iter().map(move |data| (first, data));
        let writes = whole.chain(parts.into_iter().flatten());
        // Parts are within a block, blocks have at most 123 registers: none of these writes is refused.
        Ok(writes.filter_map(|(address, data)| Request::write_multiple(address, data).ok()))
    }

    fn first(&self) -> u16 {
        self.parts.first().map_or(0, |(address, _)| *address)
    }

    fn changed_parts(&self) -> impl Iterator<Item = (u16, &[u8])> + Clone {
        let first = self.first();
        self.parts.iter().filter_map(move |(address, count)| {
            // Offsets within a block of at most 246 bytes.
            let start = usize::from(address.saturating_sub(first)).saturating_mul(2);
            let end = start.saturating_add(usize::from(*count).saturating_mul(2));
            let (shown, wanted) = (self.shown.get(start..end)?, self.wanted.get(start..end)?);
            (shown != wanted).then_some((*address, wanted))
        })
    }
}

impl<const LEN: usize> fmt::Debug for WirelessChange<LEN> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WirelessChange").field("block", &self.block).finish_non_exhaustive()
    }
}

/// The bytes of a block in a reply, or an error that names addresses and no contents.
pub(super) fn bytes_of<const LEN: usize>(
    block: &'static str,
    address: u16,
    registers: &Registers<'_>,
) -> Result<[u8; LEN], crate::acrel::BlockError> {
    let holding = registers.function() == crate::wire::READ_HOLDING;
    // Blocks have at most 123 registers.
    let count = u16::try_from(LEN / 2).unwrap_or(u16::MAX);
    let bytes = registers.slice(address, count).filter(|_| holding).and_then(|bytes| bytes.try_into().ok());
    let (address, count) = (registers.address(), registers.count());
    bytes.ok_or(crate::acrel::BlockError::Missing { block, address, count })
}
