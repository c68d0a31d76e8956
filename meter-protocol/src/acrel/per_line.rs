//! What load control and time control share: a frame for one line or for all, and a block with a flag word and a part for each
//! line of the model.

use super::{BlockError, Line, Model};
use crate::wire::Registers;

/// Scope byte: all lines at once.
const ALL_LINES: u8 = 0xFF;
const LINES_MAX: usize = 3;

/// A frame whose first two bytes are scope and enable flag. What is zero stays as it is in the meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineFrame<const LEN: usize> {
    pub(super) line: Line,
    pub(super) data: [u8; LEN],
}

impl<const LEN: usize> LineFrame<LEN> {
    /// All lines; such a frame always says whether the control is on.
    pub(super) const fn all_lines(enable: bool) -> Self {
        let mut data = [0; LEN];
        data[0] = ALL_LINES;
        data[1] = enable as u8;
        Self { line: Line::L1, data }
    }

    /// One line, nothing set.
    pub(super) const fn line(line: Line) -> Self {
        Self { line, data: [0; LEN] }
    }

    pub(super) const fn enable(mut self, on: bool) -> Self {
        if self.data[0] != ALL_LINES {
            self.data[0] = 1;
        }
        self.data[1] = on as u8;
        self
    }

    /// Whether nothing is set.
    pub(super) fn is_empty(&self) -> bool {
        self.data == [0; LEN]
    }

    /// Whether the line with this index is meant.
    pub(super) fn means(&self, index: usize) -> bool {
        self.data.first() == Some(&ALL_LINES) || Line::ALL.get(index) == Some(&self.line)
    }
}

/// Lines of a model.
pub(super) const fn line_count(model: Model) -> usize {
    match model {
        Model::Dtsy1352 => LINES_MAX,
        _ => 1,
    }
}

/// The flag word of a block at `address`, and its lines of `line_len` bytes each, parsed.
pub(super) fn parse_lines<T: Copy + Default>(
    block: &'static str,
    address: u16,
    line_len: usize,
    model: Model,
    registers: &Registers<'_>,
    parse: impl Fn(&[u8]) -> Option<T>,
) -> Result<(u16, [T; LINES_MAX]), BlockError> {
    if registers.address() != address || registers.function() != crate::wire::READ_HOLDING {
        let (address, count) = (registers.address(), registers.count());
        return Err(BlockError::Missing { block, address, count });
    }
    // At most three lines of a few dozen bytes, and the flag word.
    let expected = line_count(model).saturating_mul(line_len).saturating_add(2);
    let wrong = BlockError::Length { block, expected, actual: registers.bytes().len() };
    let (flags, rest) = registers.bytes().split_first_chunk::<2>().ok_or(wrong)?;
    if registers.bytes().len() != expected {
        return Err(wrong);
    }
    let mut lines = [T::default(); LINES_MAX];
    for (line, bytes) in lines.iter_mut().zip(rest.chunks_exact(line_len)) {
        *line = parse(bytes).ok_or(wrong)?;
    }
    Ok((u16::from_be_bytes(*flags), lines))
}
