//! What the public sources leave open about these meters, as switches.
//!
//! The numbers name the points of the bench checklist that a real meter has to settle. A client must reach the
//! right verdict on every setting, or refuse; so none of these is shared with the master side.

/// How this meter behaves where no source says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MeterOptions {
    /// Byte order of the date table (point 1).
    pub date_table: DateTableOrder,
    /// Whether rate codes in the day tables count from 1 or from 0 (point 2).
    pub rate_codes: RateCodes,
    /// Which of 0037H and 0038H is the voltage ratio (point 3).
    pub ratio_order: RatioOrder,
    /// What one unit of the raw price is worth (point 4).
    pub price_scale: PriceScale,
    /// What 0412H and the field "total" of the parameter frame mean (point 5).
    pub total: TotalMeaning,
    /// A sale with the purchase count that the meter already has (point 6).
    pub equal_count: EqualCount,
    /// A sale whose count is further than one ahead (point 6).
    pub count_jump: CountJump,
    /// A sale whose count is lower than the one that the meter has (point 6).
    pub lower_count: CountJump,
    /// The answer to an accepted function 20H (point 7).
    pub vendor_reply: VendorReply,
    /// The answer to a refused function 20H (point 7).
    pub vendor_refusal: VendorRefusal,
    /// Highest balance that a sale may lead to, in 0.01 account units; `None` is no limit (point 8).
    pub hoarding_limit_cents: Option<u32>,
    /// How the enable word of load control reads (point 9). For writing 1 is always on.
    pub load_enable: EnablePolarity,
    /// How the enable word of time control reads (point 9).
    pub time_enable: EnablePolarity,
    /// What 20H at 0500H does (point 10).
    pub force_per_line: ForcePerLine,
    /// Data bytes of that frame (point 10).
    pub force_frame: ForceFrame,
    /// Most registers that one read may ask for, at least 1 (point 11).
    pub read_max_registers: u16,
    /// Whether a write to unit 0 is carried out; it is never answered (point 11).
    pub broadcast: Broadcast,
    /// Whether clear sales and parameters are taken while frame encryption is on (point 12).
    pub clear_frames: ClearFrames,
    /// Which bits of status word 1 show the relay (point 13).
    pub relay_bits: RelayBits,
    /// Whether force mode is still there after a power cut (point 14).
    pub force_survives_power_cut: bool,
    /// Whether a DTSY1352 answers 000AH to 0010H too (point 15).
    pub low_block_on_dtsy: bool,
    /// Whether energy registers are multiplied by the PT and CT ratios (point 16).
    pub energy_values: EnergyValues,
    /// How many rates the firmware has, and with that the layout of the realtime block.
    pub firmware: Firmware,
    /// When a started 0.01 is taken off the balance register.
    pub rounding: DeductionRounding,
    /// At which balance the relay opens.
    pub trip: TripRule,
    /// At which balance the relay closes again after a sale.
    pub restore: RestoreRule,
}

impl Default for MeterOptions {
    fn default() -> Self {
        Self {
            date_table: DateTableOrder::TableDayMonth,
            rate_codes: RateCodes::FromOne,
            ratio_order: RatioOrder::PtFirst,
            price_scale: PriceScale::TenThousandths,
            total: TotalMeaning::Energy,
            equal_count: EqualCount::Acknowledge,
            count_jump: CountJump::Refuse,
            lower_count: CountJump::Refuse,
            vendor_reply: VendorReply::FifteenBytes,
            vendor_refusal: VendorRefusal::Exception,
            hoarding_limit_cents: None,
            load_enable: EnablePolarity::OneIsOn,
            time_enable: EnablePolarity::OneIsOn,
            force_per_line: ForcePerLine::Refuse,
            force_frame: ForceFrame::TenBytes,
            read_max_registers: 125,
            broadcast: Broadcast::Ignore,
            clear_frames: ClearFrames::Take,
            relay_bits: RelayBits::AllTogether,
            force_survives_power_cut: true,
            low_block_on_dtsy: false,
            energy_values: EnergyValues::Primary,
            firmware: Firmware::FourRate,
            rounding: DeductionRounding::WhenComplete,
            trip: TripRule::AtLimit,
            restore: RestoreRule::AboveLimit,
        }
    }
}

macro_rules! switch {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum $name { $($(#[$case_doc])* $case,)+ }

        impl $name {
            /// Every setting, so that tests can run them all.
            pub const ALL: &[Self] = &[$(Self::$case,)+];
        }
    };
}

switch! {
    /// Byte order of the four date-table entries.
    DateTableOrder {
        /// Table number from 0, day, month: the order of the maker's commissioning tool.
        TableDayMonth,
        /// Month, day, table number from 1: the order of an independent implementation.
        MonthDayTable,
    }
}

switch! {
    /// What the rate byte of a day-table slot counts from.
    RateCodes {
        /// 1 spike, 2 peak, 3 flat, 4 valley; 0 is an unused slot.
        FromOne,
        /// 0 spike, 1 peak, 2 flat, 3 valley; a slot at 00:00 behind the first one is unused.
        FromZero,
    }
}

switch! {
    /// Order of the ratio registers.
    RatioOrder {
        /// 0037H is PT, 0038H is CT.
        PtFirst,
        /// 0037H is CT, 0038H is PT.
        CtFirst,
    }
}

switch! {
    /// Worth of one unit of the raw price, in account units per kWh.
    PriceScale {
        /// 0.01
        Hundredths,
        /// 0.001
        Thousandths,
        /// 0.0001, the common guess.
        TenThousandths,
        /// 0.00001
        HundredThousandths,
        /// 0.000001
        Millionths,
    }
}

impl PriceScale {
    /// One raw unit in 0.000001 account units per kWh.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        match self {
            Self::Hundredths => 10_000,
            Self::Thousandths => 1_000,
            Self::TenThousandths => 100,
            Self::HundredThousandths => 10,
            Self::Millionths => 1,
        }
    }
}

switch! {
    /// Meaning of the register pair 0412H.
    TotalMeaning {
        /// The total energy. The field "total" of the parameter frame is then refused.
        Energy,
        /// The sum of all accepted sales.
        Purchased,
    }
}

switch! {
    /// What a sale with an equal purchase count does.
    EqualCount {
        /// Answered as a success, nothing is added.
        Acknowledge,
        /// Refused.
        Refuse,
        /// Added once more; the count stays.
        AddAgain,
    }
}

switch! {
    /// What a sale does whose count is neither the next nor the present one.
    CountJump {
        /// Refused.
        Refuse,
        /// Added; the count becomes the one sent.
        Accept,
    }
}

switch! {
    /// Reply to an accepted function 20H.
    VendorReply {
        /// The first 13 bytes of the request and a check sum. The maker's tool waits for 15 bytes.
        FifteenBytes,
        /// Unit, function, start, count and a check sum, as function 10H does.
        WriteEcho,
        /// Nothing.
        Silent,
    }
}

switch! {
    /// Reply to a refused function 20H.
    VendorRefusal {
        /// Exception A0H, code 03.
        Exception,
        /// The same bytes as for success: only a read-back tells.
        AsSuccess,
        /// Nothing.
        Silent,
    }
}

switch! {
    /// Sense of an enable flag when it is read.
    EnablePolarity {
        /// 1 is on.
        OneIsOn,
        /// 1 is off.
        OneIsOff,
    }
}

switch! {
    /// Writes to unit 0.
    Broadcast {
        /// Ignored.
        Ignore,
        /// Carried out, not answered.
        Apply,
    }
}

switch! {
    /// Which of the bits 13, 14 and 15 of status word 1 move with the one relay.
    RelayBits {
        /// All three.
        AllTogether,
        /// Bit 15 alone.
        Bit15,
        /// Bit 13 alone.
        Bit13,
    }
}

switch! {
    /// What the energy registers hold when PT or CT are not 1.
    EnergyValues {
        /// The energy of the shop, ratios applied.
        Primary,
        /// The energy at the meter's terminals; the reader has to multiply.
        Secondary,
    }
}

switch! {
    /// When the register of the remaining amount falls.
    DeductionRounding {
        /// When 0.01 is used up. The fraction is carried inside.
        WhenComplete,
        /// When 0.01 is touched. The fraction is carried inside.
        WhenStarted,
    }
}

switch! {
    /// When supply ends in prepaid mode.
    TripRule {
        /// As soon as the balance is the overdraft limit.
        AtLimit,
        /// When the balance is below the overdraft limit.
        BelowLimit,
    }
}

switch! {
    /// When supply returns in prepaid mode.
    RestoreRule {
        /// As soon as the trip rule no longer holds.
        AboveLimit,
        /// When the balance is positive, whatever the overdraft.
        AboveZero,
    }
}

switch! {
    /// The frame that forces each line.
    ForcePerLine {
        /// Exception 02: there is no such window.
        Refuse,
        /// State 1 is supply on.
        OneIsOn,
        /// State 1 is supply off.
        OneIsOff,
    }
}

switch! {
    /// Data bytes of the frame that forces each line; it always announces 10.
    ForceFrame {
        /// 10, as announced.
        TenBytes,
        /// 11, as the maker's tool sends.
        ElevenBytes,
    }
}

switch! {
    /// Clear sales and parameters while frame encryption is on.
    ClearFrames {
        /// Taken as before.
        Take,
        /// Not answered.
        Ignore,
    }
}

switch! {
    /// Rates of the firmware.
    Firmware {
        /// Four rates; the realtime block has 48 registers.
        FourRate,
        /// Deep valley as the fifth; the realtime block has 72 registers and a clock without weekday.
        EightRate,
    }
}
