//! The map of another maker's meter, as a crate of its user would declare it: constants, a table of them, and the writes
//! that need more than one value as types of their own. (The meter is invented.)

use meter_protocol::map::{Access, Confidence, Digits, Field, FieldInfo, Group, Number, Text, Unit};
use meter_protocol::wire::{Request, RequestError};

const MANUAL: &str = "maker's manual, table 4";
/// Balance and its sequence number are only true together.
const CREDIT: Group = Group(1);

pub(crate) const ENERGY: Field<u64> = Field::u64("energy_import", 0x0100)
    .scale(-3)
    .unit(Unit::KilowattHour)
    .low_word_first()
    .known_from(MANUAL, Confidence::Manual);
pub(crate) const VOLTAGE: Field<Number> =
    Field::f32("voltage", 0x0110).unit(Unit::Volt).known_from(MANUAL, Confidence::Manual);
pub(crate) const POWER: Field<i32> =
    Field::i32("power", 0x0112).scale(-3).unit(Unit::Kilowatt).known_from(MANUAL, Confidence::Manual);
pub(crate) const CREDIT_BALANCE: Field<i32> =
    Field::i32("credit", 0x0200).scale(-2).unit(Unit::Account).group(CREDIT).known_from(MANUAL, Confidence::Manual);
pub(crate) const CREDIT_SEQUENCE: Field<u16> =
    Field::u16("credit_sequence", 0x0204).group(CREDIT).known_from(MANUAL, Confidence::Manual);
pub(crate) const NUMBER: Field<Digits> = Field::bcd("meter_number", 0x0300, 3).known_from(MANUAL, Confidence::Manual);
pub(crate) const NAME: Field<Text> = Field::ascii("name", 0x0304, 4).known_from(MANUAL, Confidence::Manual);
pub(crate) const BACKLIGHT: Field<u16> =
    Field::u16("backlight", 0x0310).unit(Unit::Second).access(Access::ReadWrite).known_from(MANUAL, Confidence::Manual);

/// The whole map: what planners and tables work on.
pub(crate) const ALL: &[FieldInfo] = &[
    ENERGY.info(),
    VOLTAGE.info(),
    POWER.info(),
    CREDIT_BALANCE.info(),
    CREDIT_SEQUENCE.info(),
    NUMBER.info(),
    NAME.info(),
    BACKLIGHT.info(),
];

/// The two alarm levels, which this meter only takes in one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alarms([u8; 8]);

/// The first alarm must be the higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AlarmsSwapped;

impl Alarms {
    pub(crate) const FIRST: Field<u32> = Field::u32("alarm_1", 0x0320).scale(-2).unit(Unit::Account);
    pub(crate) const SECOND: Field<u32> = Field::u32("alarm_2", 0x0322).scale(-2).unit(Unit::Account);

    pub(crate) const fn new(first_minor: u32, second_minor: u32) -> Result<Self, AlarmsSwapped> {
        if first_minor < second_minor {
            return Err(AlarmsSwapped);
        }
        let ([a, b, c, d], [e, f, g, h]) = (first_minor.to_be_bytes(), second_minor.to_be_bytes());
        Ok(Self([a, b, c, d, e, f, g, h]))
    }

    pub(crate) fn request(&self) -> Result<Request<'_>, RequestError> {
        Request::write_multiple(Self::FIRST.info().address, &self.0)
    }
}
