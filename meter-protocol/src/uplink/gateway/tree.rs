//! A small XML document as a tree, bounded: no document types, no entities beyond the five of XML.

use super::GatewayError;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use std::string::String;
use std::vec::Vec;

/// Most elements of a document.
const MAX_ELEMENTS: usize = 50_000;
/// Most levels.
const MAX_DEPTH: usize = 8;
/// Most attributes of an element.
const MAX_ATTRIBUTES: usize = 16;

/// An element with its attributes, its own text and its children.
#[derive(Debug, Default)]
pub(super) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    pub(super) fn child(&self, name: &'static str) -> Result<&Self, GatewayError> {
        self.children.iter().find(|child| child.is(name)).ok_or(GatewayError::Missing(name))
    }

    /// The text without space around it.
    pub(super) fn text(&self) -> &str {
        self.text.trim()
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim())
    }
}

/// Reads a document and returns its root.
pub(super) fn parse(text: &str) -> Result<Element, GatewayError> {
    let mut reader = Reader::from_str(text);
    // The document itself is the first element of the stack.
    let mut stack = std::vec![Element::default()];
    let mut elements = 0_usize;
    loop {
        let event = reader.read_event().map_err(|_| GatewayError::Xml("not well formed"))?;
        match event {
            Event::Start(start) => {
                elements = within(elements, MAX_ELEMENTS, "elements")?;
                if stack.len() > MAX_DEPTH {
                    return Err(GatewayError::TooLarge { what: "levels", max: MAX_DEPTH });
                }
                stack.push(element(&start)?);
            }
            Event::Empty(start) => {
                elements = within(elements, MAX_ELEMENTS, "elements")?;
                let element = element(&start)?;
                innermost(&mut stack)?.children.push(element);
            }
            Event::End(_) => {
                let ended = stack.pop().ok_or(GatewayError::Xml("not well formed"))?;
                innermost(&mut stack)?.children.push(ended);
            }
            Event::Text(text) => innermost(&mut stack)?.text.push_str(&text.xml10_content()),
            Event::CData(text) => innermost(&mut stack)?.text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let known = match &*reference.xml10_content() {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => reference.resolve_char_ref().ok().flatten(),
                };
                innermost(&mut stack)?.text.push(known.ok_or(GatewayError::Xml("unknown entity"))?);
            }
            Event::DocType(_) => return Err(GatewayError::Xml("document type")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    let document = stack.pop().filter(|_| stack.is_empty()).ok_or(GatewayError::Xml("not closed"))?;
    document.children.into_iter().next().ok_or(GatewayError::Missing("root"))
}

fn innermost(stack: &mut [Element]) -> Result<&mut Element, GatewayError> {
    stack.last_mut().ok_or(GatewayError::Xml("not well formed"))
}

fn within(count: usize, max: usize, what: &'static str) -> Result<usize, GatewayError> {
    if count < max { Ok(count.saturating_add(1)) } else { Err(GatewayError::TooLarge { what, max }) }
}

fn element(start: &BytesStart<'_>) -> Result<Element, GatewayError> {
    let mut element = Element { name: String::from(start.name().0), ..Element::default() };
    for attribute in start.attributes() {
        within(element.attributes.len(), MAX_ATTRIBUTES, "attributes")?;
        let attribute = attribute.map_err(|_| GatewayError::Xml("not well formed"))?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|_| GatewayError::Xml("unknown entity"))?;
        element.attributes.push((String::from(attribute.key.0), value.into_owned()));
    }
    Ok(element)
}
