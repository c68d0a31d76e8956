//! A sale: function 20H @0100H with amount and new purchase count.

use super::profile::settled;
use super::{BenchTest, BuildError, EqualCountRule, Profile};
use crate::wire::Request;

/// Largest amount of one sale: the balance is a signed 32-bit number of 0.01 account units.
const MAX_AMOUNT_MINOR: u32 = i32::MAX.unsigned_abs();

/// A sale, ready to send once.
///
/// 1. Read count and balance in one read.
/// 2. Make the sale durable, then send it.
/// 3. Whatever came back, read again: the sale took effect if the count is [`Purchase::count`] and the balance rose
///    by the amount less what was used between. The reply's bytes mean nothing that anyone has documented.
///
/// A lost reply is settled by reading, never by sending: see [`Purchase::repeat`].
///
/// ```
/// use meter_protocol::{acrel::Purchase, wire::rtu};
/// let sale = Purchase::new(100_00, 0)?;
/// let mut buf = [0; 256];
/// let frame = rtu::encode_request(1, &sale.request(), &mut buf)?;
/// assert_eq!(frame, [1, 0x20, 1, 0, 0, 4, 8, 0, 0, 0x27, 0x10, 0, 1, 0, 0, 0x12, 0x1F]);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purchase {
    data: [u8; 8],
    amount_minor: u32,
    count_before: u16,
}

impl Purchase {
    /// A sale of `amount_minor` (0.01 account units) to a meter that shows purchase count `count_before`. Its own count
    /// is the next one, 0 after 65535.
    ///
    /// # Errors
    /// [`BuildError::Range`] unless the amount is 1..=2147483647.
    pub fn new(amount_minor: u32, count_before: u16) -> Result<Self, BuildError> {
        if !(1..=MAX_AMOUNT_MINOR).contains(&amount_minor) {
            return Err(BuildError::Range {
                field: "amount of the sale",
                value: amount_minor.into(),
                min: 1,
                max: MAX_AMOUNT_MINOR.into(),
            });
        }
        let [a, b, c, d] = amount_minor.to_be_bytes();
        let [e, f] = next_count(count_before).to_be_bytes();
        Ok(Self { data: [a, b, c, d, e, f, 0, 0], amount_minor, count_before })
    }

    /// Amount in 0.01 account units.
    #[must_use]
    pub const fn amount_minor(&self) -> u32 {
        self.amount_minor
    }

    /// Count that the meter shows once the sale took effect.
    #[must_use]
    pub const fn count(&self) -> u16 {
        next_count(self.count_before)
    }

    /// Count that the meter showed before.
    #[must_use]
    pub const fn count_before(&self) -> u16 {
        self.count_before
    }

    /// 20H @0100H, 4 registers. To be sent once; nothing in this crate repeats it.
    #[must_use]
    pub const fn request(&self) -> Request<'_> {
        Request::vendor_fixed::<0x0100, 8>(&self.data)
    }

    /// The identical frame once more, after a read-back that shows the count of before. The first frame may still be
    /// on its way, so this needs a meter that adds an equal count only once.
    ///
    /// # Errors
    /// [`BuildError::CountMoved`] when the count is another one; [`BuildError::Unsettled`] without a rule in the
    /// profile (bench test 6); [`BuildError::WouldAddAgain`] for a meter that adds again: there, end the connection,
    /// wait the longest frame life, read the count, and build a new sale.
    pub fn repeat(&self, profile: &Profile, count_read_back: u16) -> Result<Request<'_>, BuildError> {
        if count_read_back != self.count_before {
            return Err(BuildError::CountMoved { expected: self.count_before, actual: count_read_back });
        }
        match settled(profile.equal_count, "reaction to an equal purchase count", BenchTest::PurchaseCount)? {
            EqualCountRule::Acknowledges | EqualCountRule::Refuses => Ok(self.request()),
            EqualCountRule::AddsAgain => Err(BuildError::WouldAddAgain { test: BenchTest::PurchaseCount }),
        }
    }
}

/// The count is a 16-bit register and starts again at 0.
const fn next_count(count: u16) -> u16 {
    // The meter counts modulo 2^16.
    count.wrapping_add(1)
}
