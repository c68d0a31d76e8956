//! Sales on disk: an intent before the first byte is sent, a verdict after the read-back.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use meter_protocol::acrel::PurseReading;
use serde_json::{Value, json};

/// Largest journal that is read; a program that sells more belongs to a database.
const JOURNAL_MAX_BYTES: u64 = 64 << 20;

/// A sale that was about to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Intent {
    /// Position among the intents of the file, from 1.
    pub(crate) sale: u64,
    pub(crate) meter_number: String,
    pub(crate) unit: u8,
    pub(crate) amount_minor: u32,
    pub(crate) before: PurseReading,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) at_s: u64,
}

/// The file, locked, with what it holds.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    intents: Vec<Intent>,
    settled: Vec<u64>,
}

impl Journal {
    /// Opens or creates the file and takes its lock: two programs must not sell by one journal.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let told = |error: std::io::Error| format!("{}: {error}", path.display());
        let new = !path.exists();
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(told)?;
        lock(&file).map_err(|error| format!("{}: another program has it ({error})", path.display()))?;
        if new {
            sync_folder(path).map_err(told)?;
        }
        if file.metadata().map_err(told)?.len() > JOURNAL_MAX_BYTES {
            return Err(format!("{}: longer than {JOURNAL_MAX_BYTES} bytes", path.display()));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(told)?;
        let mut journal = Self { file, path: path.to_owned(), intents: Vec::new(), settled: Vec::new() };
        // What follows the last line end was torn while it was written, before anything was sent on its behalf.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        for (index, line) in text[..whole].lines().enumerate() {
            journal.take(line).ok_or_else(|| format!("{} line {}: not understood", path.display(), index + 1))?;
        }
        if whole < text.len() {
            journal.file.set_len(u64::try_from(whole).unwrap_or(0)).map_err(told)?;
        }
        Ok(journal)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let value: Value = serde_json::from_str(line).ok()?;
        let sale = value["sale"].as_u64()?;
        match value["state"].as_str()? {
            "intent" => {
                let before = PurseReading {
                    remaining_minor: value["balance_before_minor"].as_i64()?.try_into().ok()?,
                    purchase_count: value["count_before"].as_u64()?.try_into().ok()?,
                    energy_total_centikwh: value["energy_before_centikwh"].as_u64()?.try_into().ok()?,
                };
                self.intents.push(Intent {
                    sale,
                    meter_number: value["meter_number"].as_str()?.to_owned(),
                    unit: value["unit"].as_u64()?.try_into().ok()?,
                    amount_minor: value["amount_minor"].as_u64()?.try_into().ok()?,
                    before,
                    at_s: value["at_s"].as_u64()?,
                });
            }
            "taken" | "not_taken" | "contradicted" => self.settled.push(sale),
            _ => return None,
        }
        Some(())
    }

    /// Sales without a verdict, oldest first.
    pub(crate) fn unresolved(&self) -> Vec<Intent> {
        self.intents.iter().filter(|intent| !self.settled.contains(&intent.sale)).cloned().collect()
    }

    /// Writes an intent. When this returns it is on the disk, and sending may begin.
    pub(crate) fn intend(&mut self, mut intent: Intent) -> Result<Intent, String> {
        intent.sale = self.intents.last().map_or(1, |last| last.sale + 1);
        self.append(&json!({
            "sale": intent.sale,
            "state": "intent",
            "meter_number": intent.meter_number,
            "unit": intent.unit,
            "amount_minor": intent.amount_minor,
            "balance_before_minor": intent.before.remaining_minor,
            "count_before": intent.before.purchase_count,
            "energy_before_centikwh": intent.before.energy_total_centikwh,
            "at_s": intent.at_s,
        }))?;
        self.intents.push(intent.clone());
        Ok(intent)
    }

    /// Writes a verdict.
    pub(crate) fn settle(&mut self, sale: u64, state: &str, shown: &PurseReading, note: &str) -> Result<(), String> {
        self.append(&json!({
            "sale": sale,
            "state": state,
            "balance_after_minor": shown.remaining_minor,
            "count_after": shown.purchase_count,
            "energy_after_centikwh": shown.energy_total_centikwh,
            "note": note,
        }))?;
        self.settled.push(sale);
        Ok(())
    }

    fn append(&mut self, entry: &Value) -> Result<(), String> {
        let line = format!("{entry}\n");
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

#[cfg(unix)]
fn lock(file: &File) -> std::io::Result<()> {
    Ok(rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive)?)
}

#[cfg(not(unix))]
fn lock(_: &File) -> std::io::Result<()> {
    Err(std::io::Error::other("locking is only done on Unix"))
}

/// A new file is only there after a power cut if its folder is synced as well.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
