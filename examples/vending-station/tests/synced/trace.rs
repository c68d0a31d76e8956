//! Reads a trace of system calls: what was written to which file and when it was synced, and when a money frame left.

use std::{collections::BTreeMap, path::PathBuf};

/// The function of a purchase frame, and what follows it: the address and the number of registers.
const PURCHASE: [u8; 6] = [0x20, 0x01, 0x00, 0x00, 0x04, 0x08];

/// Something that happened, in the order of the trace.
#[derive(Debug)]
pub(crate) enum Step {
    /// A write to a file has finished.
    Written { path: PathBuf, offset: u64, bytes: Vec<u8> },
    /// A file was cut to a length.
    Cut { path: PathBuf, length: u64 },
    /// A file is gone.
    Removed { path: PathBuf },
    /// A sync begins: it covers what was written before.
    SyncBegun { path: PathBuf, thread: u32 },
    /// It has finished without an error.
    SyncDone { path: PathBuf, thread: u32 },
    /// The first byte of a money frame leaves.
    Frame(Frame),
}

/// A purchase frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) unit: u8,
    pub(crate) amount_minor: u32,
    pub(crate) count: u16,
}

impl Frame {
    fn of(bytes: &[u8]) -> Option<Self> {
        let (&unit, rest) = bytes.split_first()?;
        let data = rest.strip_prefix(&PURCHASE)?;
        Some(Self {
            unit,
            amount_minor: u32::from_be_bytes(data.get(..4)?.try_into().ok()?),
            count: u16::from_be_bytes(data.get(4..6)?.try_into().ok()?),
        })
    }
}

/// All steps of a trace by `strace -f -y -xx`.
pub(crate) fn read(text: &str) -> Vec<Step> {
    let mut begun: BTreeMap<u32, String> = BTreeMap::new();
    let mut offsets: BTreeMap<String, u64> = BTreeMap::new();
    let mut steps = Vec::new();
    for line in text.lines() {
        let Some((thread, call)) = line.trim_start().split_once(' ') else { continue };
        let (Ok(thread), call) = (thread.parse(), call.trim_start()) else { continue };
        if let Some(start) = call.strip_suffix("<unfinished ...>") {
            entered(start, thread, &mut steps);
            begun.insert(thread, start.trim_end().to_owned());
        } else if let Some(rest) = call.strip_prefix("<... ") {
            let Some(start) = begun.remove(&thread) else { continue };
            let end = rest.split_once("resumed>").map_or("", |(_, end)| end);
            left(&format!("{start}{end}"), thread, &mut offsets, &mut steps);
        } else {
            entered(call, thread, &mut steps);
            left(call, thread, &mut offsets, &mut steps);
        }
    }
    steps
}

/// What counts from the moment at which a call begins.
fn entered(call: &str, thread: u32, steps: &mut Vec<Step>) {
    let Some((name, arguments)) = call.split_once('(') else { return };
    match name {
        "fdatasync" | "fsync" => {
            steps.extend(path(arguments).map(|(_, path)| Step::SyncBegun { path, thread }));
        }
        "sendto" | "write" | "sendmsg" | "writev" if path(arguments).is_none() => {
            steps.extend(quoted(arguments).as_deref().and_then(Frame::of).map(Step::Frame));
        }
        _ => {}
    }
}

/// What counts from the moment at which it has ended.
fn left(call: &str, thread: u32, offsets: &mut BTreeMap<String, u64>, steps: &mut Vec<Step>) {
    let (Some((name, arguments)), Some((_, result))) = (call.split_once('('), call.rsplit_once(" = ")) else { return };
    let Ok(result) = result.split_whitespace().next().unwrap_or_default().parse::<u64>() else { return };
    let Some((file, path)) = path(arguments) else {
        if name == "unlink" {
            let path = quoted(arguments).and_then(|bytes| String::from_utf8(bytes).ok());
            steps.extend(path.map(|path| Step::Removed { path: path.into() }));
        }
        return;
    };
    let last = || arguments.rsplit_once(')').and_then(|(all, _)| all.rsplit_once(", ")).map(|(_, last)| last.trim());
    match name {
        "fdatasync" | "fsync" => steps.push(Step::SyncDone { path, thread }),
        "ftruncate" => {
            let length = last().and_then(|length| length.parse().ok());
            steps.extend(length.map(|length| Step::Cut { path, length }));
        }
        "lseek" => drop(offsets.insert(file, result)),
        "pwrite64" => {
            let (Some(mut bytes), Some(Ok(offset))) = (quoted(arguments), last().map(str::parse)) else { return };
            bytes.truncate(usize::try_from(result).unwrap_or(0));
            steps.push(Step::Written { path, offset, bytes });
        }
        "write" => {
            let Some(mut bytes) = quoted(arguments) else { return };
            bytes.truncate(usize::try_from(result).unwrap_or(0));
            let offset = offsets.entry(file).or_default();
            steps.push(Step::Written { path, offset: *offset, bytes });
            *offset += result;
        }
        _ => {}
    }
}

/// The file of the first argument, `9<\x2f…>`, and its path. What is no file has none.
fn path(arguments: &str) -> Option<(String, PathBuf)> {
    let (number, rest) = arguments.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    let path = PathBuf::from(String::from_utf8(bytes(path)?).ok()?);
    let is_file = number.bytes().all(|byte| byte.is_ascii_digit()) && path.is_absolute();
    is_file.then(|| (number.to_owned(), path))
}

/// The bytes of the first string.
fn quoted(arguments: &str) -> Option<Vec<u8>> {
    bytes(arguments.split('"').nth(1)?)
}

/// Each byte stands as `\x..`.
fn bytes(text: &str) -> Option<Vec<u8>> {
    text.split("\\x").skip(1).map(|byte| u8::from_str_radix(byte, 16).ok()).collect()
}

#[test]
fn a_trace_is_read_as_it_is_written() {
    // strace writes paths like strings: 9 is the log, 8 the file, 12 a socket.
    let text = r#"71 pwrite64(9<\x2f\x61\x2f\x73\x2e\x73\x71\x6c\x69\x74\x65\x2d\x77\x61\x6c>, "\x01\x02", 2, 32) = 2
72 fdatasync(9<\x2f\x61\x2f\x73\x2e\x73\x71\x6c\x69\x74\x65\x2d\x77\x61\x6c> <unfinished ...>
71 lseek(8<\x2f\x61\x2f\x73\x2e\x73\x71\x6c\x69\x74\x65>, 4096, SEEK_SET) = 4096
71 write(8<\x2f\x61\x2f\x73\x2e\x73\x71\x6c\x69\x74\x65>, "\x07", 1) = 1
72 <... fdatasync resumed>) = 0
73 sendto(12<\x73\x6f\x63\x6b\x65\x74\x3a\x5b\x39\x39\x5d>, "\x05\x20\x01\x00\x00\x04\x08\x00\x00\x27\x10\x00\x09\x00\x00\x12\x1f", 17, MSG_NOSIGNAL, NULL, 0) = 17
71 fsync(8<\x2f\x61\x2f\x73\x2e\x73\x71\x6c\x69\x74\x65>) = -1 EIO (Input/output error)
71 ftruncate(9<\x2f\x61\x2f\x73\x2e\x73\x71\x6c\x69\x74\x65\x2d\x77\x61\x6c>, 0) = 0
"#;
    let steps = format!("{:?}", read(text));
    let words = [
        "Written",
        "offset: 32",
        "SyncBegun",
        "offset: 4096",
        "SyncDone",
        "unit: 5",
        "amount_minor: 10000",
        "SyncBegun",
        "Cut",
    ];
    let mut rest = steps.as_str();
    for word in words {
        rest = rest.split_once(word).unwrap_or_else(|| panic!("no {word} in {steps}")).1;
    }
    assert!(!rest.contains("SyncDone"), "a sync that failed is none");
}
