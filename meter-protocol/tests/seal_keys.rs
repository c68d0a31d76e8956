//! Keys that are refused, key files, and that nothing shows a key.
#![cfg(all(feature = "seal-aes", feature = "seal-sm4"))]

#[path = "seal/support.rs"]
mod support;

use meter_protocol::seal::{
    Form, KeyBundle, KeyError, KeyFileError, MAX_KEY_FILE_LEN, MAX_KEYS, PeerId, PeerKeys, Suite,
};
use support::{asked, bundle, keys, master, pair, to_hex};

/// The 16 weak and semi-weak keys of DES.
const WEAK: [u64; 16] = [
    0x0101_0101_0101_0101,
    0xFEFE_FEFE_FEFE_FEFE,
    0xE0E0_E0E0_F1F1_F1F1,
    0x1F1F_1F1F_0E0E_0E0E,
    0x011F_011F_010E_010E,
    0x1F01_1F01_0E01_0E01,
    0x01E0_01E0_01F1_01F1,
    0xE001_E001_F101_F101,
    0x01FE_01FE_01FE_01FE,
    0xFE01_FE01_FE01_FE01,
    0x1FE0_1FE0_0EF1_0EF1,
    0xE01F_E01F_F10E_F10E,
    0x1FFE_1FFE_0EFE_0EFE,
    0xFE1F_FE1F_FE0E_FE0E,
    0xE0FE_E0FE_F1FE_F1FE,
    0xFEE0_FEE0_FEF1_FEF1,
];
const PARITY: u64 = 0x0101_0101_0101_0101;
const GOOD: [u64; 3] = [0x0123_4567_89AB_CDEF, 0x2345_6789_ABCD_EF01, 0x4567_89AB_CDEF_0123];

fn tdes(keys: [u64; 3]) -> Result<KeyBundle, KeyError> {
    let bytes = keys.map(u64::to_be_bytes);
    KeyBundle::tdes(bytes.as_flattened().try_into().unwrap())
}

#[test]
fn weak_keys_are_refused_in_each_place_whatever_their_parity() {
    assert!(tdes(GOOD).is_ok());
    for weak in WEAK {
        for place in 0..3 {
            // All parity bits flipped, none, and each alone.
            let flips = (0..8).map(|byte| 1 << (8 * byte)).chain([0, PARITY]);
            for flip in flips {
                let mut keys = GOOD;
                keys[place] = weak ^ flip;
                assert!(matches!(tdes(keys), Err(KeyError::Weak)), "{weak:016x} {place} {flip:016x}");
            }
        }
    }
}

#[test]
fn two_key_and_single_bundles_are_refused_whatever_their_parity() {
    let [a, b, _] = GOOD;
    for flip in (0..8).map(|byte| 1_u64 << (8 * byte)).chain([0, PARITY]) {
        for keys in [[a, b, a ^ flip], [a, a ^ flip, b], [b, a, a ^ flip], [a, a ^ flip, a]] {
            assert!(matches!(tdes(keys), Err(KeyError::TwoKey)), "{flip:016x}");
        }
    }
    // Any other bit makes another key.
    assert!(tdes([a, b, a ^ 2]).is_ok());
}

#[test]
fn degenerate_keys_and_wrong_lengths_are_refused() {
    for suite in Suite::ALL {
        for byte in [0, 1, 0xFF] {
            let key = vec![byte; suite.key_len()];
            assert_eq!(KeyBundle::from_slice(suite, &key).map(|_| ()), Err(KeyError::Degenerate));
        }
        for len in (0..40).filter(|len| *len != suite.key_len()) {
            assert!(matches!(KeyBundle::from_slice(suite, &vec![1; len]), Err(KeyError::Length { .. })));
        }
    }
}

#[test]
fn a_peer_has_few_keys_of_one_suite_with_different_ids() {
    let mut keys = keys(Suite::Tdes);
    assert_eq!(keys.insert(1, bundle(Suite::Tdes, 2)), Err(KeyError::Duplicate { key_id: 1 }));
    let other = KeyError::OtherSuite { expected: Suite::Tdes, actual: Suite::AesCcm };
    assert_eq!(keys.insert(2, bundle(Suite::AesCcm, 2)), Err(other));
    for key_id in 2..=MAX_KEYS as u8 {
        keys.insert(key_id, bundle(Suite::Tdes, key_id)).unwrap();
    }
    assert_eq!(keys.insert(99, bundle(Suite::Tdes, 99)), Err(KeyError::Full));
    assert_eq!(keys.set_current(99), Err(KeyError::Absent { key_id: 99 }));
    keys.remove(1).unwrap();
    assert_eq!((keys.current(), keys.remove(1)), (None, Err(KeyError::Absent { key_id: 1 })));
    assert!(keys.insert(99, bundle(Suite::Tdes, 99)).is_ok());
}

#[test]
fn a_key_file_there_and_back() {
    for suite in Suite::ALL {
        let mut keys = PeerKeys::new(PeerId(u64::MAX));
        keys.insert(3, bundle(suite, 3)).unwrap();
        keys.insert(200, bundle(suite, 4)).unwrap();
        keys.set_current(200).unwrap();
        let mut text = String::new();
        keys.write_key_file(&mut text).unwrap();
        assert!(text.contains(&to_hex(&master(suite, 3))) && text.len() < MAX_KEY_FILE_LEN);
        let read = PeerKeys::from_key_file(&text.replace('\n', "\r\n\n# note\n")).unwrap();
        assert_eq!((read.peer(), read.suite(), read.current()), (PeerId(u64::MAX), Some(suite), Some(200)));
        let mut again = String::new();
        read.write_key_file(&mut again).unwrap();
        assert_eq!(text, again);
    }
}

#[test]
fn a_broken_key_file_is_refused_by_line_and_shows_nothing() {
    let secret = to_hex(&master(Suite::Tdes, 1));
    let file = |lines: &str| PeerKeys::from_key_file(&lines.replace("SECRET", &secret)).map(|_| ());
    let head = "sealed-link-keys 1\npeer 7\nsuite 1\n";
    assert_eq!(file(&format!("{head}key 1 SECRET")), Ok(()));
    let cases = [
        ("", KeyFileError::NoKey),
        ("sealed-link-keys 2\n", KeyFileError::Line { line: 1 }),
        ("sealed-link-keys 1\npeer x\n", KeyFileError::Line { line: 2 }),
        ("sealed-link-keys 1\npeer 7\nsuite 4\n", KeyFileError::Line { line: 3 }),
        (head, KeyFileError::NoKey),
        (&format!("{head}key 1 SECRET0"), KeyFileError::Line { line: 4 }),
        (&format!("{head}key 1 xyz"), KeyFileError::Line { line: 4 }),
        (&format!("{head}key 256 SECRET"), KeyFileError::Line { line: 4 }),
        (&format!("{head}key 1 SECRETSECRET"), KeyFileError::Line { line: 4 }),
        (&format!("{head}kye 1 SECRET"), KeyFileError::Line { line: 4 }),
        (
            &format!("{head}key 1 SECRET\nkey 1 SECRET"),
            KeyFileError::Key { line: 5, error: KeyError::Duplicate { key_id: 1 } },
        ),
        (&format!("{head}key 1 {}", "00".repeat(24)), KeyFileError::Key { line: 4, error: KeyError::Degenerate }),
        (
            &format!("{head}key 1 SECRET\ncurrent 2"),
            KeyFileError::Key { line: 5, error: KeyError::Absent { key_id: 2 } },
        ),
    ];
    for (text, expected) in cases {
        let error = file(text).unwrap_err();
        assert_eq!(error, expected, "{text}");
        assert!(!format!("{error} {error:?}").contains(&secret[..8]));
    }
    let long = "#".repeat(MAX_KEY_FILE_LEN + 1);
    assert_eq!(file(&long), Err(KeyFileError::TooLong { len: MAX_KEY_FILE_LEN + 1 }));
}

#[test]
fn nothing_shows_a_key() {
    for suite in Suite::ALL {
        let keys = keys(suite);
        let (hello, answer) = asked(&keys, Form::Stream, 1);
        let (collector, station) = pair(suite, Form::Datagram);
        let record = collector.next_record();
        let shown =
            format!("{keys:?} {hello:?} {answer:?} {collector:?} {station:?} {record:?} {:?}", bundle(suite, 1));
        let key = master(suite, 1);
        // In hexadecimal or as a list of numbers, from any place on.
        for part in key.windows(3) {
            assert!(!shown.to_lowercase().contains(&to_hex(part)), "{shown}");
            assert!(!shown.contains(&format!("{}, {}, {}", part[0], part[1], part[2])), "{shown}");
        }
        assert!(shown.contains("hidden"));
    }
}
