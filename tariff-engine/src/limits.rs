//! The limits of a tariff, each by name. [`Tariff::compile`](crate::Tariff::compile) refuses what is beyond them.

/// Versions in a tariff.
pub const MAX_VERSIONS: usize = 1_000;
/// Energy rates in a version.
pub const MAX_RATES: usize = 24;
/// Tiers of a ladder, energy or demand.
pub const MAX_TIERS: usize = 16;
/// Energy registers (rate × tier) of all versions that one billing period can touch.
pub const MAX_OPEN_CELLS: usize = 256;
/// Periods of one schedule.
pub const MAX_PERIODS: usize = 1_024;
/// Components of the energy price.
pub const MAX_COMPONENTS: usize = 16;
/// Demand charges of a tariff, by name, over all versions.
pub const MAX_DEMAND_CHARGES: usize = 16;
/// Demand registers (charge × rate) of a tariff, over all versions.
pub const MAX_DEMAND_REGISTERS: usize = 48;
/// Charges of each other kind in a version.
pub const MAX_CHARGES: usize = 16;
/// Names of energy rates over all versions.
pub const MAX_RATE_NAMES: usize = 64;
/// Entries each in the lists of holidays, make-up days and seasons.
pub const MAX_CALENDAR_ENTRIES: usize = 1_024;
/// Different names of holidays.
pub const MAX_HOLIDAY_NAMES: usize = 32;
/// Day flags.
pub const MAX_DAY_FLAGS: usize = 4;
/// Day flags told ahead, in days.
pub const MAX_FLAGGED_DAYS: usize = 62;
/// Different days (by schedule) of one version.
pub const MAX_DAY_TABLES: usize = 4_096;
/// Bytes that a running bill holds, with everything it points to, without its tariff and without the buffer of
/// [`MAX_LADDER_SEGMENTS`].
pub const MAX_RUNNING_BYTES: usize = 4_096;
/// Changes of rate that the buffer of a ladder keeps whose limits are known only at the end of the period.
pub const MAX_LADDER_SEGMENTS: usize = 4_096;
/// Periods that a ratchet looks back over.
pub const MAX_LOOKBACK: u32 = 12;
/// Characters of a name.
pub const MAX_NAME_CHARS: usize = 120;
/// Largest magnitude of a price, per kWh or per kW.
pub const MAX_PRICE: i64 = 100_000;
/// Largest magnitude of a fixed charge, a minimum, or a price of contracted capacity times that capacity.
pub const MAX_CHARGE: i64 = 1_000_000_000_000;
/// Decimal places of a price, components, ratio and all.
pub const MAX_PRICE_PLACES: u32 = 18;
/// Energy of one billing period or one ladder cycle, kWh.
pub const MAX_PERIOD_KWH: i64 = 1_000_000_000;
/// Billing demand, kW; also contracted capacity, kW or kVA.
pub const MAX_DEMAND_KW: i64 = 10_000_000;
/// Largest possible bill. A tariff whose prices could bring more at the limits above is refused.
pub const MAX_BILL: i64 = 100_000_000_000_000;
