//! What is to be done with a meter, and how it ended.

/// What a caller can ask for a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A sale, a money overwrite, and the reads around them.
    Money,
    /// A switch or a setting.
    Control,
    /// A reading that somebody waits for.
    ReadNow,
}

impl Class {
    pub(super) const BY_RANK: [Self; 3] = [Self::Money, Self::Control, Self::ReadNow];

    pub(crate) const fn rank(self) -> usize {
        match self {
            Self::Money => 0,
            Self::Control => 1,
            Self::ReadNow => 2,
        }
    }

    pub(super) const fn job(self) -> Job {
        match self {
            Self::Money => Job::Money,
            Self::Control => Job::Control,
            Self::ReadNow => Job::ReadNow,
        }
    }
}

/// What is to be done with a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Job {
    /// The next waiting job of [`Class::Money`].
    Money,
    /// The next waiting job of [`Class::Control`].
    Control,
    /// The next waiting job of [`Class::ReadNow`].
    ReadNow,
    /// The regular reading of this cycle.
    Poll {
        /// Index of the cycle, below [`super::MAX_CYCLES`].
        cycle: u8,
    },
    /// A read of a silent meter, to see whether it has returned. Any read serves, once, without repetition.
    Probe,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    /// The meter answered, be it with an exception (not one of a gateway, 0AH and 0BH, which is no answer).
    Answered,
    /// It was asked and did not answer.
    NoReply,
    /// It was not asked, or the link failed while waiting. Says nothing about the meter.
    NotTransmitted,
}
