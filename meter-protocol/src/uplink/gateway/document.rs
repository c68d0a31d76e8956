//! The XML documents of authentication and heartbeat, and the way to a report.

use super::GatewayError;
use super::report::{Report, time_of};
use super::tree::{self, Element};
use crate::acrel::Clock;
use quick_xml::escape::escape;
use std::format;
use std::string::String;

/// A document of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Document {
    /// Building, as configured in the gateway; may be empty.
    pub building_id: String,
    /// Gateway, as configured in it.
    pub gateway_id: String,
    /// What it says.
    pub content: Content,
}

/// What a document says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A step of the authentication.
    Validation(Validation),
    /// A heartbeat; the station's answer carries the time.
    HeartBeat {
        /// The time, in an answer.
        time: Option<Clock>,
    },
    /// Readings.
    Report(Report),
}

/// The steps of the authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Validation {
    /// The gateway wants to be authenticated.
    Request,
    /// The station's sequence.
    Sequence(String),
    /// The gateway's digest over secret and sequence.
    Md5(String),
    /// Whether it was right.
    Result {
        /// `pass` or `fail`.
        passed: bool,
    },
}

impl Document {
    /// A document.
    #[must_use]
    pub const fn new(building_id: String, gateway_id: String, content: Content) -> Self {
        Self { building_id, gateway_id, content }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// [`GatewayError`] names the element or value that is missing or wrong.
    pub fn parse(text: &str) -> Result<Self, GatewayError> {
        let root = tree::parse(text)?;
        let common = root.child("common")?;
        let id = |name: &str| {
            let found = common.children.iter().find(|child| child.is(name));
            found.map_or_else(String::new, |element| String::from(element.text()))
        };
        let gateway_id = id("gateway_id");
        if gateway_id.is_empty() {
            return Err(GatewayError::Missing("gateway_id"));
        }
        Ok(Self { building_id: id("building_id"), gateway_id, content: content(&root)? })
    }

    /// Writes a document of authentication or heartbeat. Reports are not written by a station.
    ///
    /// # Errors
    /// [`GatewayError::Missing`] for a report.
    pub fn to_xml(&self) -> Result<String, GatewayError> {
        let (kind, body) = match &self.content {
            Content::Validation(step) => ("id_validate", validation_xml(step)),
            Content::HeartBeat { time: None } => {
                ("heart_beat", String::from("<heart_beat operation=\"notify\"></heart_beat>"))
            }
            Content::HeartBeat { time: Some(time) } => {
                let digits = digits_of(time);
                ("heart_beat", format!("<heart_beat operation=\"time\"><time>{digits}</time></heart_beat>"))
            }
            Content::Report(_) => return Err(GatewayError::Missing("a way to write reports")),
        };
        let (building, gateway) = (escape(self.building_id.as_str()), escape(self.gateway_id.as_str()));
        Ok(format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><root><common><building_id>{building}</building_id>\
             <gateway_id>{gateway}</gateway_id><type>{kind}</type></common>{body}</root>"
        ))
    }
}

fn content(root: &Element) -> Result<Content, GatewayError> {
    if let Ok(element) = root.child("id_validate") {
        return validation(element).map(Content::Validation);
    }
    if let Ok(element) = root.child("heart_beat") {
        let time = match element.child("time") {
            Ok(time) if !time.text().is_empty() => Some(time_of(time.text())?),
            _ => None,
        };
        return Ok(Content::HeartBeat { time });
    }
    Report::from_element(root.child("data")?).map(Content::Report)
}

fn validation(element: &Element) -> Result<Validation, GatewayError> {
    let text = |name| element.child(name).map(|child| String::from(child.text()));
    match element.attribute("operation") {
        Some("request") => Ok(Validation::Request),
        Some("sequence") => text("sequence").map(Validation::Sequence),
        Some("md5") => text("md5").map(Validation::Md5),
        Some("result") => match element.child("result")?.text() {
            "pass" => Ok(Validation::Result { passed: true }),
            "fail" => Ok(Validation::Result { passed: false }),
            other => Err(value("result", other)),
        },
        other => Err(value("operation", other.unwrap_or_default())),
    }
}

fn validation_xml(step: &Validation) -> String {
    let (operation, inside) = match step {
        Validation::Request => ("request", String::new()),
        Validation::Sequence(sequence) => ("sequence", format!("<sequence>{}</sequence>", escape(sequence.as_str()))),
        Validation::Md5(digest) => ("md5", format!("<md5>{}</md5>", escape(digest.as_str()))),
        Validation::Result { passed } => {
            ("result", format!("<result>{}</result>", if *passed { "pass" } else { "fail" }))
        }
    };
    format!("<id_validate operation=\"{operation}\" version=\"2\">{inside}</id_validate>")
}

/// An error that shows a little of a wrong value.
pub(super) fn value(field: &'static str, value: &str) -> GatewayError {
    GatewayError::Value { field, value: value.chars().take(40).collect() }
}

fn digits_of(clock: &Clock) -> String {
    let (year, month, day) = (clock.year(), clock.month(), clock.day());
    format!("{year:04}{month:02}{day:02}{:02}{:02}{:02}", clock.hour(), clock.minute(), clock.second())
}
