//! Makes the key file of a sealed link, or adds a key to it for a rotation.
//!
//! ```text
//! $ cargo run -q -p meter-protocol --features seal --example seal_keys -- --peer 7 --suite 1 --file peer-7.keys
//! peer-7.keys: peer 7, suite 1, key 1
//! $ cargo run … --example seal_keys -- --file peer-7.keys --rotate
//! peer-7.keys: peer 7, suite 1, key 2
//! ```
//!
//! The file is readable by its owner alone. Carry it to the other side over a way that nobody else reads, never over
//! the link. In a rotation the file goes to the station first and then to the collector, which asks with the new key from
//! its next session on; a key beyond the fourth drops the oldest.

use clap::Parser;
use meter_protocol::seal::{KeyBundle, MAX_KEYS, PeerId, PeerKeys, Suite};
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Keys that are tried before something is wrong with the random numbers: one in 2^49 is weak.
const MAX_TRIES: usize = 8;

/// Makes the key file of a sealed link.
#[derive(Debug, Parser)]
struct Args {
    /// The file to make, or with --rotate to add a key to
    #[arg(long)]
    file: PathBuf,
    /// Number of the collector
    #[arg(long, required_unless_present = "rotate")]
    peer: Option<u64>,
    /// 1 = 3DES, 2 = AES-128-CCM, 3 = SM4-CCM
    #[arg(long, required_unless_present = "rotate")]
    suite: Option<u8>,
    /// Add a key to a file that is there, and make it current
    #[arg(long, conflicts_with_all = ["peer", "suite"])]
    rotate: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let (keys, suite) = if args.rotate { rotated(&args.file)? } else { fresh(&args)? };
    if args.rotate {
        // Beside the old one first, so that a crash leaves one of them whole.
        let beside = args.file.with_extension("new");
        write_new(&beside, &keys)?;
        fs::rename(&beside, &args.file)?;
    } else {
        write_new(&args.file, &keys)?;
    }
    let current = keys.current().ok_or("no key")?;
    println!("{}: peer {}, suite {}, key {current}", args.file.display(), keys.peer(), suite.code());
    Ok(())
}

fn fresh(args: &Args) -> Result<(PeerKeys, Suite), Box<dyn Error>> {
    let suite = args.suite.and_then(Suite::from_code).ok_or("suites are 1, 2 and 3")?;
    let mut keys = PeerKeys::new(PeerId(args.peer.ok_or("whose keys?")?));
    keys.insert(1, random_key(suite)?)?;
    Ok((keys, suite))
}

fn rotated(file: &Path) -> Result<(PeerKeys, Suite), Box<dyn Error>> {
    let mut keys = PeerKeys::from_key_file(&fs::read_to_string(file)?)?;
    let suite = keys.suite().ok_or("the file has no key")?;
    let newest = keys.current().ok_or("the file has no current key")?;
    let free = (0..=u8::MAX).map(|step| newest.wrapping_add(step)).find(|id| keys.get(*id).is_none());
    let key_id = free.ok_or("no key id is free")?;
    // Ids are given out in order, so the oldest is the farthest behind.
    let oldest = keys.key_ids().max_by_key(|id| newest.wrapping_sub(*id));
    if keys.key_ids().count() == MAX_KEYS {
        keys.remove(oldest.ok_or("the file has no key")?)?;
    }
    keys.insert(key_id, random_key(suite)?)?;
    keys.set_current(key_id)?;
    Ok((keys, suite))
}

fn random_key(suite: Suite) -> Result<KeyBundle, Box<dyn Error>> {
    let mut bytes = [0; 24];
    let bytes = bytes.get_mut(..suite.key_len()).ok_or("a longer key than any")?;
    for _ in 0..MAX_TRIES {
        getrandom::fill(bytes)?;
        if let Ok(key) = KeyBundle::from_slice(suite, bytes) {
            bytes.fill(0);
            return Ok(key);
        }
    }
    Err("no usable key: is the suite built in (features seal-aes, seal-sm4)?".into())
}

/// Never writes over a file, and nobody else can read it at any moment.
fn write_new(path: &Path, keys: &PeerKeys) -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    keys.write_key_file(&mut text)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file: File = options.open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}
