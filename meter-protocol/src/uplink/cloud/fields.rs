//! Names of the values in updates.

/// A value of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloudField {
    /// Its name in the document.
    pub name: &'static str,
    /// What it is.
    pub meaning: &'static str,
    /// Its unit where a source states or implies it.
    pub unit: &'static str,
}

const fn field(name: &'static str, meaning: &'static str, unit: &'static str) -> CloudField {
    CloudField { name, meaning, unit }
}

/// The names that the sources show. Meters leave out what they do not have.
pub const FIELDS: [CloudField; 37] = [
    field("U", "voltage", "V"),
    field("Ua", "voltage, phase A", "V"),
    field("Ub", "voltage, phase B", "V"),
    field("Uc", "voltage, phase C", "V"),
    field("I", "current", "A"),
    field("Ia", "current, phase A", "A"),
    field("Ib", "current, phase B", "A"),
    field("Ic", "current, phase C", "A"),
    field("P", "active power", "kW"),
    field("Pa", "active power, phase A", "kW"),
    field("Pb", "active power, phase B", "kW"),
    field("Pc", "active power, phase C", "kW"),
    field("Q", "reactive power", "kvar"),
    field("PF", "power factor", ""),
    field("EPI", "energy, total", "kWh"),
    field("EPIJ", "energy, spike rate", "kWh"),
    field("EPIF", "energy, peak rate", "kWh"),
    field("EPIP", "energy, flat rate", "kWh"),
    field("EPIG", "energy, valley rate", "kWh"),
    field("MEPIMD", "maximum demand", ""),
    field("Balance", "remaining amount", "account unit"),
    field("BuyTimes", "purchase count", ""),
    field("LoseTimes1", "trips by load control", ""),
    field("CommitTimes", "trips by load control that are allowed", ""),
    field("ControlMode", "force mode", ""),
    field("LoseMode", "load control", ""),
    field("TimeMode", "time control", ""),
    field("PrepaidSta", "prepaid state", ""),
    field("SwitchSta1", "relay 1, 1 is closed", ""),
    field("SwitchSta2", "relay 2, 1 is closed", ""),
    field("SwitchSta3", "relay 3, 1 is closed", ""),
    field("OweMoney", "in arrears", ""),
    field("AlarmA", "alarm 1", ""),
    field("AlarmB", "alarm 2", ""),
    field("AdfState1", "status word 1", ""),
    field("AdfState2", "status word 2", ""),
    // 699 (off) and 570 (on) were seen; what the bits mean is not known.
    field("PRESTATE", "not known", ""),
];
