//! One line of a site file, whatever the file's format: named cells that know where they stand.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

/// Where something stands in a file. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    /// Where.
    pub place: Place,
    /// What is wrong, with the field, the value and the limit.
    pub reason: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// The text of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// As it stands in the file, without quotes.
    pub text: String,
    /// Where the value begins.
    pub place: Place,
}

/// One record: a line of a CSV file, or one table of a TOML file.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where the record begins.
    pub place: Place,
    /// Its fields by name.
    pub cells: BTreeMap<String, Cell>,
}

/// Reads the fields of one row and collects what is wrong with them.
#[derive(Debug)]
pub struct Reader<'a> {
    row: &'a Row,
    complaints: &'a mut Vec<Complaint>,
}

impl<'a> Reader<'a> {
    /// A reader of `row`. Fields that are not in `known` are complained about at once.
    pub fn new(row: &'a Row, known: &[&str], complaints: &'a mut Vec<Complaint>) -> Self {
        for (name, cell) in &row.cells {
            if !known.contains(&name.as_str()) {
                complaints.push(Complaint {
                    place: cell.place.clone(),
                    reason: format!("`{name}` is not known here; known are {}", known.join(", ")),
                });
            }
        }
        Self { row, complaints }
    }

    /// Where the row begins.
    pub fn place(&self) -> &Place {
        &self.row.place
    }

    /// Where the field stands, or the row if the field is missing.
    pub fn place_of(&self, field: &str) -> Place {
        self.row.cells.get(field).map_or_else(|| self.row.place.clone(), |cell| cell.place.clone())
    }

    /// Complains about a field.
    pub fn complain(&mut self, field: &str, reason: String) {
        let place = self.place_of(field);
        self.complaints.push(Complaint { place, reason });
    }

    /// The field's text, if it is there and not empty.
    pub fn optional(&self, field: &str) -> Option<&'a str> {
        self.row.cells.get(field).map(|cell| cell.text.trim()).filter(|text| !text.is_empty())
    }

    /// The field's text, at most `longest` characters; complains if it is missing.
    pub fn text(&mut self, field: &str, longest: usize) -> Option<String> {
        let Some(text) = self.optional(field) else {
            self.complain(field, format!("`{field}` is missing"));
            return None;
        };
        let length = text.chars().count();
        if length > longest {
            self.complain(field, format!("`{field}` has {length} characters, at most {longest} are allowed"));
            return None;
        }
        Some(text.to_owned())
    }

    /// The field parsed; `expected` says what it should be.
    pub fn parse<T: FromStr>(&mut self, field: &str, expected: &str) -> Option<T> {
        let text = self.text(field, 100)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(_) => {
                self.complain(field, format!("`{field}` is `{text}`; expected {expected}"));
                None
            }
        }
    }

    /// The field parsed, or `default` if it is missing.
    pub fn parse_or<T: FromStr>(&mut self, field: &str, expected: &str, default: T) -> Option<T> {
        if self.optional(field).is_none() { Some(default) } else { self.parse(field, expected) }
    }

    /// One of a fixed set of words.
    pub fn choice<T: Copy>(&mut self, field: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(field, 100)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.complain(field, format!("`{field}` is `{text}`; expected one of {}", list.join(", ")));
        }
        found
    }
}
