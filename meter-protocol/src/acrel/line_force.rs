//! Force control of single lines: function 20H @0500H. The lines of a three-phase meter with a relay each.

use super::profile::settled;
use super::verdict::all_shown;
use super::{
    BenchTest, BuildError, Confirmed, ForceMode, Line, LineForceLength, LineForceSense, Model, NotShown, Profile,
    StatusWord1,
};
use crate::wire::Request;

const BLOCK: &str = "force of single lines";
const LEN: usize = 10;

/// What single lines are told. Lines that are not named stay as they are.
///
/// Sources contradict each other about this frame, so the profile has to say what bench test 10 has found. For the whole
/// meter use [`ForceMode::request`], about which they agree.
///
/// ```
/// use meter_protocol::acrel::{Confirmed, ForceMode, Line, LineForce, LineForceLength, LineForceSense, LinkId, Profile};
/// use meter_protocol::wire::{Registers, Request};
/// # let registers = Registers::holding(0x0200, &[0, 5])?;
/// let model = Confirmed::from_reply(1, LinkId::first(0), &registers)?;
/// let cut_l2 = LineForce::new().line(Line::L2, ForceMode::SupplyOff);
/// assert!(cut_l2.frame(&Profile::unsettled(), &model).unwrap_err().to_string().contains("bench test 10"));
///
/// let mut profile = Profile::unsettled();
/// profile.line_force_sense = Some(LineForceSense::OneIsOn);
/// profile.line_force_length = Some(LineForceLength::Ten);
/// let frame = cut_l2.frame(&profile, &model)?;
/// assert_eq!(frame.request(), Request::vendor_write(0x0500, &[0, 0, 0, 1, 1, 0, 0, 0, 0, 0])?);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct LineForce {
    lines: [Option<ForceMode>; 3],
}

impl LineForce {
    /// No line named.
    pub const fn new() -> Self {
        Self { lines: [None; 3] }
    }

    /// Names a line. A single-phase meter has only L1.
    pub const fn line(mut self, line: Line, mode: ForceMode) -> Self {
        let [l1, l2, l3] = &mut self.lines;
        match line {
            Line::L1 => *l1 = Some(mode),
            Line::L2 => *l2 = Some(mode),
            Line::L3 => *l3 = Some(mode),
        }
        self
    }

    /// The frame for the confirmed model. Read status word 1 afterwards: [`LineForce::shown_by`].
    ///
    /// # Errors
    /// [`BuildError::Empty`] when no line is named; [`BuildError::Model`] for a line that the model does not have;
    /// [`BuildError::Unsettled`] without sense and length in the profile (bench test 10); [`BuildError::ByteCount`] for a
    /// meter that takes eleven bytes.
    pub fn frame(&self, profile: &Profile, model: &Confirmed<Model>) -> Result<LineForceFrame, BuildError> {
        let [_, l2, l3] = self.lines;
        if self.lines == [None; 3] {
            return Err(BuildError::Empty { block: BLOCK });
        }
        match model.value() {
            Model::Dtsy1352 => {}
            Model::Ddsy1352 if l2.is_none() && l3.is_none() => {}
            model => return Err(BuildError::Model { block: BLOCK, model }),
        }
        let test = BenchTest::ForcePerLine;
        let sense = settled(profile.line_force_sense, "sense of the force frame of single lines", test)?;
        match settled(profile.line_force_length, "length of the force frame of single lines", test)? {
            LineForceLength::Ten => {}
            LineForceLength::Eleven => return Err(BuildError::ByteCount { block: BLOCK, announced: 10, sent: 11 }),
        }
        let [[a, b, c], [d, e, f], [g, h, i]] = self.lines.map(|mode| bytes(mode, sense));
        Ok(LineForceFrame([a, b, c, d, e, f, g, h, i, 0]))
    }

    /// Whether status word 1, read afterwards, shows what was ordered: force mode, and the forced state of each line
    /// that was named. Which of its relay bits belongs to which line is bench test 13. That a line is back in prepaid
    /// mode is not in this word and not compared: read [`ForceState`](super::ForceState) too.
    ///
    /// # Errors
    /// [`NotShown`] names the first difference.
    pub fn shown_by(&self, status: StatusWord1) -> Result<(), NotShown> {
        // Which line has left force mode is not in the status word: lines that were told so are not compared.
        let ordered = Line::ALL.into_iter().zip(self.lines).filter_map(|(line, mode)| match mode? {
            ForceMode::Prepaid => None,
            ForceMode::SupplyOn => Some((line, 1)),
            ForceMode::SupplyOff => Some((line, 0)),
        });
        all_shown(ordered.flat_map(|(line, on)| {
            [
                ("force mode", Some(1), status.forced().into()),
                ("forced state", Some(on), status.forced_closed(line).into()),
            ]
        }))
    }
}

/// Flag, mode and state of one line.
fn bytes(mode: Option<ForceMode>, sense: LineForceSense) -> [u8; 3] {
    let state = |on: bool| u8::from(on == (sense == LineForceSense::OneIsOn));
    match mode {
        None => [0, 0, 0],
        Some(ForceMode::Prepaid) => [1, 0, 0],
        Some(ForceMode::SupplyOn) => [1, 1, state(true)],
        Some(ForceMode::SupplyOff) => [1, 1, state(false)],
    }
}

/// A force frame of single lines for a meter that the profile knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct LineForceFrame([u8; LEN]);

impl LineForceFrame {
    /// 20H @0500H, 5 registers.
    #[must_use]
    pub const fn request(&self) -> Request<'_> {
        Request::vendor_fixed::<0x0500, LEN>(&self.0)
    }
}
