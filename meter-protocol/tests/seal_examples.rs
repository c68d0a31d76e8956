//! The examples `seal_keys` and `seal_dump` as they are run by hand.
#![cfg(all(feature = "seal-aes", feature = "seal-sm4"))]

#[path = "seal/support.rs"]
mod support;

use meter_protocol::seal::message::{Ack, Envelope, Message, MessageId};
use meter_protocol::seal::{Form, PeerKeys, Suite};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use support::{asked, seal, to_hex};

/// The example beside this test; built here if only this test was asked for.
fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(name);
    if !path.exists() {
        let features = ["--features", "seal-aes,seal-sm4", "-p", "meter-protocol", "--example", name];
        assert!(Command::new(env!("CARGO")).arg("build").args(features).status().unwrap().success());
    }
    Command::new(path)
}

fn workspace(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn seal_keys(arguments: &[&str], file: &Path) -> Output {
    example("seal_keys").args(arguments).arg("--file").arg(file).output().unwrap()
}

fn read(file: &Path) -> PeerKeys {
    PeerKeys::from_key_file(&std::fs::read_to_string(file).unwrap()).unwrap()
}

#[test]
fn key_files_are_private_never_overwritten_and_rotate() {
    let place = workspace("seal-keys");
    for suite in Suite::ALL {
        let file = place.join(format!("{}.keys", suite.code()));
        let made = seal_keys(&["--peer", "7", "--suite", &suite.code().to_string()], &file);
        assert!(made.status.success(), "{made:?}");
        let text = std::fs::read_to_string(&file).unwrap();
        let said = String::from_utf8(made.stdout).unwrap() + &String::from_utf8(made.stderr).unwrap();
        let secret = text.lines().find_map(|line| line.strip_prefix("key 1 ")).unwrap();
        assert!(!said.contains(secret));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let again = seal_keys(&["--peer", "7", "--suite", "1"], &file);
        assert!(!again.status.success(), "a file is there");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        for key_id in 2..=6 {
            assert!(seal_keys(&["--rotate"], &file).status.success());
            let keys = read(&file);
            assert_eq!((keys.current(), keys.key_ids().count()), (Some(key_id), usize::from(key_id).min(4)));
            assert!(key_id > 4 || keys.get(1).is_some());
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            }
        }
    }
}

#[test]
fn a_captured_session_is_opened() {
    let place = workspace("seal-dump");
    let file = place.join("peer.keys");
    assert!(seal_keys(&["--peer", "7", "--suite", "1"], &file).status.success());
    let keys = read(&file);
    let (mut hello, mut answer) = asked(&keys, Form::Stream, 1);
    let mut collector = hello.finish(answer.frame()).unwrap();
    let confirmation = seal(&mut collector, b"");
    let mut station = answer.confirm(&confirmation).unwrap();
    let mut payload = [0; 64];
    let ack = Envelope { id: MessageId([0xAB; 16]), message: Message::Ack(Ack { ids: &[[1; 16]] }) };
    let up = seal(&mut collector, ack.emit(&mut payload).unwrap());
    let mut altered = seal(&mut station, b"x");
    altered[17] ^= 1;
    let frames = [hello.frame(), answer.frame(), &confirmation, &up, &altered, b"\x01\x02"];
    let mut dump = example("seal_dump");
    dump.arg("--keys").arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = dump.spawn().unwrap();
    let lines: String = frames.iter().map(|frame| to_hex(frame) + "\n").collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said[0], "hello      suite 1, key 1, peer 7");
    assert_eq!(said[1], "welcome    a session begins");
    assert_eq!(said[2], "up   0.0   empty");
    assert!(said[3].starts_with("up   0.1   abababab") && said[3].contains("Ack"), "{}", said[3]);
    assert_eq!(said[4], "down 0.0   refused");
    assert!(said[5].starts_with("no frame"));
}
