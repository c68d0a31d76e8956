//! A site file as rows: one TOML file, or a folder of CSV files. Nothing is interpreted here.

use super::row::{Cell, Complaint, Place, Row};
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The longest site file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// The kinds of records, in the order in which they refer to each other.
pub const KINDS: [&str; 8] = ["site", "building", "collector", "gateway", "bus", "tariff", "tenant", "meter"];

/// Rows by kind, and what can't be said in a row.
#[derive(Debug, Default)]
pub struct Raw {
    /// Rows by kind.
    pub rows: BTreeMap<&'static str, Vec<Row>>,
    /// Tariff documents that stand inside the file, by the row's place in `rows["tariff"]`.
    pub documents: BTreeMap<usize, toml::Value>,
    /// The folder that `file` fields are relative to.
    pub folder: PathBuf,
}

/// Reads a TOML file or a folder of CSV files.
pub fn read(path: &Path) -> Result<Raw, Vec<Complaint>> {
    if path.is_dir() { read_folder(path) } else { read_toml(path) }
}

fn read_text(path: &Path) -> Result<(Arc<str>, String), Vec<Complaint>> {
    let name: Arc<str> = path.display().to_string().into();
    let place = Place { file: name.clone(), line: 1, column: 1 };
    let complain = |reason: String| vec![Complaint { place: place.clone(), reason }];
    let bytes = read_bounded(path).map_err(complain)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
            let place = Lines::new(&name, &before).place(before.len());
            Err(vec![Complaint { place, reason: "the text is not UTF-8 from here on".into() }])
        }
    }
}

/// The bytes of a file, as far as files are read; one without an end is refused like one that is too long.
pub(super) fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= FILE_BYTES_MAX) {
        return Ok(bytes);
    }
    Err(format!("the file has more than the {FILE_BYTES_MAX} bytes that are read"))
}

/// Turns byte offsets into lines and columns.
struct Lines<'a> {
    file: &'a Arc<str>,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(file: &'a Arc<str>, text: &'a str) -> Self {
        let starts =
            std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1));
        Self { file, text, starts: starts.collect() }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset).max(1);
        let start = self.starts[line - 1];
        let column = self.text.get(start..offset).map_or(0, |s| s.chars().count()) + 1;
        Place { file: self.file.clone(), line, column }
    }
}

fn read_toml(path: &Path) -> Result<Raw, Vec<Complaint>> {
    let (name, text) = read_text(path)?;
    from_toml(&name, &text, path.parent().unwrap_or(Path::new("")))
}

/// Reads the text of a TOML file. `folder` is what its `file` fields are relative to.
pub fn from_toml(name: &Arc<str>, text: &str, folder: &Path) -> Result<Raw, Vec<Complaint>> {
    let lines = Lines::new(name, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors
            .iter()
            .map(|error| Complaint {
                place: lines.place(error.span().map_or(0, |span| span.start)),
                reason: error.message().to_owned(),
            })
            .collect());
    }
    let mut raw = Raw { folder: folder.to_owned(), ..Raw::default() };
    let mut complaints = Vec::new();
    for (key, value) in table.get_ref() {
        let Some(kind) = KINDS.iter().find(|kind| **kind == key.get_ref().as_ref()).copied() else {
            complaints.push(Complaint {
                place: lines.place(key.span().start),
                reason: format!("`{}` is not known here; known are {}", key.get_ref(), KINDS.join(", ")),
            });
            continue;
        };
        let records: Vec<&Spanned<DeValue<'_>>> = match value.get_ref() {
            DeValue::Array(array) => array.iter().collect(),
            _ => vec![value],
        };
        for record in records {
            match record.get_ref() {
                DeValue::Table(fields) => {
                    let place = lines.place(record.span().start);
                    toml_row(kind, place, fields, &lines, &mut raw, &mut complaints);
                }
                other => complaints.push(Complaint {
                    place: lines.place(record.span().start),
                    reason: format!("`{kind}` must be a table, this is {}", other.type_str()),
                }),
            }
        }
    }
    if complaints.is_empty() { Ok(raw) } else { Err(complaints) }
}

fn toml_row(
    kind: &'static str,
    place: Place,
    fields: &DeTable<'_>,
    lines: &Lines<'_>,
    raw: &mut Raw,
    complaints: &mut Vec<Complaint>,
) {
    let index = raw.rows.get(kind).map_or(0, Vec::len);
    let mut cells = BTreeMap::new();
    for (key, value) in fields {
        let place = lines.place(value.span().start);
        let text = match value.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Table(document) if kind == "tariff" && key.get_ref() == "document" => {
                raw.documents.insert(index, plain_table(document));
                continue;
            }
            DeValue::Float(number) => {
                complaints.push(Complaint {
                    place,
                    reason: format!(
                        "`{}` is the bare number {}; write decimals in quotes, so that no digit is lost",
                        key.get_ref(),
                        number.as_str()
                    ),
                });
                continue;
            }
            other => {
                complaints
                    .push(Complaint { place, reason: format!("`{}` can't be {}", key.get_ref(), other.type_str()) });
                continue;
            }
        };
        cells.insert(key.get_ref().clone().into_owned(), Cell { text, place });
    }
    raw.rows.entry(kind).or_default().push(Row { place, cells });
}

/// The same table without positions, for the tariff engine's own reader.
fn plain_table(table: &DeTable<'_>) -> toml::Value {
    toml::Value::Table(
        table.iter().map(|(key, value)| (key.get_ref().clone().into_owned(), plain_value(value.get_ref()))).collect(),
    )
}

fn plain_value(value: &DeValue<'_>) -> toml::Value {
    match value {
        DeValue::String(text) => toml::Value::String(text.clone().into_owned()),
        // An integer that doesn't fit stays text, and the tariff reader refuses it by its path.
        DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
            .map_or_else(|_| toml::Value::String(number.as_str().to_owned()), toml::Value::Integer),
        // Only recognised as a float so that the tariff reader refuses it by its path.
        DeValue::Float(number) => number
            .as_str()
            .replace('_', "")
            .parse()
            .map_or_else(|_| toml::Value::String(number.as_str().to_owned()), toml::Value::Float),
        DeValue::Boolean(flag) => toml::Value::Boolean(*flag),
        DeValue::Datetime(time) => toml::Value::Datetime(*time),
        DeValue::Array(items) => toml::Value::Array(items.iter().map(|item| plain_value(item.get_ref())).collect()),
        DeValue::Table(table) => plain_table(table),
    }
}

fn read_folder(path: &Path) -> Result<Raw, Vec<Complaint>> {
    let mut complaints = Vec::new();
    let mut files = Vec::new();
    for kind in KINDS {
        let file = path.join(format!("{kind}.csv"));
        if !file.exists() {
            continue;
        }
        match read_text(&file) {
            Ok((name, text)) => files.push((kind, name, text)),
            Err(errors) => complaints.extend(errors),
        }
    }
    match from_csv(&files, path) {
        Ok(raw) if complaints.is_empty() => Ok(raw),
        Ok(_) => Err(complaints),
        // That no file could be read has its reasons already.
        Err(_) if files.is_empty() && !complaints.is_empty() => Err(complaints),
        Err(errors) => Err(complaints.into_iter().chain(errors).collect()),
    }
}

/// Reads the texts of CSV files, each with its kind and its name. `folder` is what their `file` fields are relative to.
pub fn from_csv(files: &[(&'static str, Arc<str>, String)], folder: &Path) -> Result<Raw, Vec<Complaint>> {
    let mut raw = Raw { folder: folder.to_owned(), ..Raw::default() };
    let mut complaints = Vec::new();
    for (kind, name, text) in files {
        match csv_rows(name, text) {
            Ok(rows) => {
                raw.rows.insert(kind, rows);
            }
            Err(errors) => complaints.extend(errors),
        }
    }
    if files.is_empty() {
        let names: Vec<String> = KINDS.iter().map(|kind| format!("{kind}.csv")).collect();
        complaints.push(Complaint {
            place: Place { file: folder.display().to_string().into(), line: 1, column: 1 },
            reason: format!("the folder has none of {}", names.join(", ")),
        });
    }
    if complaints.is_empty() { Ok(raw) } else { Err(complaints) }
}

fn csv_rows(name: &Arc<str>, text: &str) -> Result<Vec<Row>, Vec<Complaint>> {
    // Spreadsheets write a mark in front of UTF-8 text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::new(name, text);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(io::Cursor::new(text.as_bytes()));
    let header = reader.headers().map_err(|error| vec![csv_complaint(name, &error)])?.clone();
    let mut rows = Vec::new();
    let mut complaints = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                complaints.push(csv_complaint(name, &error));
                continue;
            }
        };
        let position = record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0));
        // The reader counts the second half of a line's end to the next record.
        let ends = text.bytes().skip(position).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let begin = position + ends;
        let offsets = field_offsets(text, begin);
        let place = lines.place(begin);
        if record.len() != header.len() {
            complaints.push(Complaint {
                place,
                reason: format!("{} fields, the heading names {}", record.len(), header.len()),
            });
            continue;
        }
        let cells = header.iter().zip(record.iter()).enumerate().map(|(index, (field, text))| {
            let offset = offsets.get(index).copied().unwrap_or(begin);
            (field.trim().to_owned(), Cell { text: text.to_owned(), place: lines.place(offset) })
        });
        rows.push(Row { place, cells: cells.collect() });
    }
    if complaints.is_empty() { Ok(rows) } else { Err(complaints) }
}

/// Where each field of the record at `begin` starts, as byte offsets.
fn field_offsets(text: &str, begin: usize) -> Vec<usize> {
    let mut offsets = vec![begin];
    let mut quoted = false;
    for (index, byte) in text.as_bytes().iter().enumerate().skip(begin) {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => offsets.push(index + 1),
            b'\n' if !quoted => break,
            _ => {}
        }
    }
    offsets
}

fn csv_complaint(name: &Arc<str>, error: &csv::Error) -> Complaint {
    let line = error.position().map_or(1, |position| usize::try_from(position.line()).unwrap_or(1));
    Complaint { place: Place { file: name.clone(), line, column: 1 }, reason: error.to_string() }
}
