//! The fields of a record, and which of them were looked at.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::number::RawNumber;
use super::{UrdbError, Warning};

/// Largest record that is looked at.
const MAX_BYTES: usize = 4 << 20;

/// Fields that only inform.
const INFORMATION: [&str; 30] = [
    "_provenance",
    "approved",
    "basicinformationcomments",
    "country",
    "demandcomments",
    "description",
    "eiaid",
    "enddate",
    "energycomments",
    "is_default",
    "label",
    "latest_update",
    "peakkwcapacityhistory",
    "peakkwcapacitymax",
    "peakkwcapacitymin",
    "peakkwhusagehistory",
    "peakkwhusagemax",
    "peakkwhusagemin",
    "phasewiring",
    "revisions",
    "sector",
    "servicetype",
    "source",
    "sourceparent",
    "supercedes",
    "supersedes",
    "utility",
    "utilityname",
    "voltagecategory",
    "voltagemaximum",
];
/// Fields that say something about prices which is left out by convention, or which only one sort of account needs.
const WARNED: [(&str, &str); 8] = [
    ("demandattrs", "not used: the form gives it no meaning for the bill"),
    ("dgrules", "not used: export is not priced"),
    ("energyattrs", "not used: the form gives it no meaning for the bill"),
    ("fixedattrs", "not used: the form gives it no meaning for the bill"),
    ("fixedchargeeaaddl", "not used: the price of a second meter"),
    ("usenetmetering", "not used: export is not priced"),
    ("voltageminimum", "not used: the account must fit it"),
    ("items", "not used"),
];

/// An object as it stands. A field that stands twice, in whatever spelling, is refused: nobody can know which is meant.
#[derive(Debug, Default)]
pub(super) struct Fields(BTreeMap<String, Box<RawValue>>);

impl core::ops::Deref for Fields {
    type Target = BTreeMap<String, Box<RawValue>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;

        impl<'de> Visitor<'de> for Once {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let (mut fields, mut spellings) = (BTreeMap::new(), BTreeSet::new());
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if !spellings.insert(key.to_ascii_lowercase()) {
                        return Err(A::Error::custom(format_args!("`{key}` stands twice")));
                    }
                    fields.insert(key, value);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Once)
    }
}

/// A record whose fields are taken out one by one, so that none is forgotten.
pub(super) struct Record {
    fields: BTreeMap<String, Box<RawValue>>,
    warnings: Vec<Warning>,
}

impl Record {
    pub(super) fn parse(json: &str) -> Result<Self, UrdbError> {
        if json.len() > MAX_BYTES {
            return Err(UrdbError::new("record", format!("{} bytes", json.len()), "at most 4 MiB"));
        }
        let json = json.trim_start_matches('\u{feff}');
        let object = |text: &str| {
            serde_json::from_str::<Fields>(text)
                .map(|fields| fields.0)
                .map_err(|error| UrdbError::new("record", error, "a JSON object"))
        };
        let mut fields = object(json)?;
        if let Some(items) = fields.get("items") {
            let items: Vec<&RawValue> =
                serde_json::from_str(items.get()).map_err(|error| UrdbError::new("items", error, "a list"))?;
            match items.as_slice() {
                [item] => fields = object(item.get())?,
                several => {
                    return Err(UrdbError::new("items", format!("{} records", several.len()), "one record at a time"));
                }
            }
        }
        // Fields that are null say nothing.
        fields.retain(|_, value| value.get() != "null");
        Ok(Self { fields, warnings: Vec::new() })
    }

    pub(super) fn warn(&mut self, field: impl ToString, text: &'static str) {
        let warning = Warning { field: field.to_string(), text };
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Takes a field under any of its spellings.
    pub(super) fn take(&mut self, name: &str) -> Option<Box<RawValue>> {
        let key = self.fields.keys().find(|key| key.eq_ignore_ascii_case(name))?.clone();
        self.fields.remove(&key)
    }

    /// A number that may be missing.
    pub(super) fn optional(&mut self, name: &'static str) -> Result<Option<RawNumber>, UrdbError> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        RawNumber::parse(raw.get()).map(Some).ok_or_else(|| UrdbError::new(name, raw.get(), "a number"))
    }

    /// A text that may be missing.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, UrdbError> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|_| UrdbError::new(name, raw.get(), "a text"))
    }

    /// A field of a list of lists of numbers, or of a list of them.
    pub(super) fn parsed<T: for<'a> Deserialize<'a>>(
        &mut self,
        name: &'static str,
        rule: &'static str,
    ) -> Result<Option<T>, UrdbError> {
        let Some(raw) = self.take(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|error| UrdbError::new(name, error, rule))
    }

    /// Epoch seconds or an ISO date, as it is written.
    pub(super) fn start_date(&mut self) -> Result<Option<String>, UrdbError> {
        let Some(raw) = self.take("startdate") else { return Ok(None) };
        let text = raw.get().trim_matches('"').to_string();
        let epoch = RawNumber::parse(raw.get()).is_some();
        let iso = text.get(..10).is_some_and(|date| crate::calendar::date::parse_date(date).is_some());
        if epoch || iso {
            Ok(Some(text))
        } else {
            Err(UrdbError::new("startdate", text, "epoch seconds or an ISO date"))
        }
    }

    /// What is left was not looked at: information goes, the rest is refused or warned of.
    pub(super) fn finish(mut self) -> Result<Vec<Warning>, UrdbError> {
        self.coincident()?;
        for refused in ["demandratchetpercentage", "demandreactivepowercharge"] {
            if let Some(raw) = self.take(refused) {
                let numbers: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
                let mut texts: Vec<&str> = numbers.iter().map(|number| number.get()).collect();
                if texts.is_empty() {
                    texts.push(raw.get());
                }
                if !texts.iter().all(|text| RawNumber::parse(text).is_some_and(|number| number.is_zero())) {
                    return Err(UrdbError::new(refused, raw.get(), "this charge can't be honoured"));
                }
            }
        }
        for unit in ["demandunits", "demandrateunit", "flatdemandunit"] {
            if let Some(text) = self.text_of(unit)?
                && text != "kW"
            {
                return Err(UrdbError::new(unit, text, "only kW"));
            }
        }
        for (name, text) in WARNED {
            if self.take(name).is_some() {
                self.warn(name, text);
            }
        }
        for name in INFORMATION {
            self.take(name);
        }
        let left: Vec<String> = self.fields.keys().cloned().collect();
        for name in left {
            let lower = name.to_ascii_lowercase();
            if lower.contains("reactive") || lower.contains("coincident") || lower.contains("ratchet") {
                return Err(UrdbError::new(name, "given", "this charge can't be honoured"));
            }
            self.warn(name, "not used: the field is not known");
        }
        Ok(self.warnings)
    }

    fn text_of(&mut self, name: &'static str) -> Result<Option<String>, UrdbError> {
        self.text(name)
    }

    /// Coincident charges need the hours of the utility's own peak. A schedule that never leaves period 0 names no such hour.
    fn coincident(&mut self) -> Result<(), UrdbError> {
        let structure = self.take("coincidentratestructure");
        let schedule: Option<Vec<Vec<Box<RawValue>>>> =
            self.parsed("coincidentschedule", "a list of lists of numbers")?;
        self.take("coincidentrateunit");
        let Some(structure) = structure else { return Ok(()) };
        let names_no_hour = schedule.is_some_and(|rows| {
            rows.iter().flatten().all(|cell| RawNumber::parse(cell.get()).is_some_and(|number| number.is_zero()))
        });
        if !names_no_hour {
            let rule = "coincident charges need the hours of the utility's own peak";
            return Err(UrdbError::new("coincidentratestructure", structure.get(), rule));
        }
        self.warn("coincidentratestructure", "not charged: its schedule names no coincident hour");
        Ok(())
    }
}
