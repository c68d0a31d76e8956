//! Frames that are altered, cut, reflected or not frames at all: refused, with one value and without a trace in `out`.
#![cfg(all(feature = "seal-aes", feature = "seal-sm4"))]

#[path = "seal/support.rs"]
mod support;

use meter_protocol::seal::{
    Form, HEADER_LEN, Header, HeaderError, MAX_FRAME_LEN, MAX_PAYLOAD_LEN, OpenError, SealError, Suite,
};
use support::{asked, bundle, keys, open, pair, refused, seal, session};

const FORMS: [Form; 2] = [Form::Stream, Form::Datagram];

#[test]
fn every_length_there_and_back() {
    for suite in Suite::ALL {
        for form in FORMS {
            let (mut collector, mut station) = pair(suite, form);
            for len in (0..=130).chain([511, 1_000, 1_023, MAX_PAYLOAD_LEN]) {
                let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
                let up = seal(&mut collector, &payload);
                assert_eq!(up.len(), suite.frame_len(len));
                assert_eq!(open(&mut station, &up), Ok(payload.clone()), "{suite:?} {form:?} {len}");
                let down = seal(&mut station, &payload);
                assert_eq!(open(&mut collector, &down), Ok(payload), "{suite:?} {form:?} {len}");
            }
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    for suite in Suite::ALL {
        for payload in [&b"three and more!!"[..], b"odd"] {
            let (mut collector, mut station) = pair(suite, Form::Stream);
            let frame = seal(&mut collector, payload);
            for bit in 0..frame.len() * 8 {
                let mut altered = frame.clone();
                altered[bit / 8] ^= 1 << (bit % 8);
                let error = refused(&mut station, &altered);
                // Version, suite, kind, key id, length and session may end it early. In suite 1 some lengths make the same
                // frame: then the tag tells.
                let early = bit / 8 < 6 || (8..12).contains(&(bit / 8));
                let by_length = suite == Suite::Tdes && bit / 8 == 5;
                assert_eq!(
                    error == OpenError::Refused,
                    !early || by_length && error == OpenError::Refused,
                    "bit {bit}"
                );
            }
            assert_eq!(open(&mut station, &frame), Ok(payload.to_vec()), "the session goes on");
        }
    }
}

#[test]
fn a_payload_length_that_keeps_the_frame_length_is_refused() {
    // In suite 1 lengths 9 to 16 make the same frame: the length is under the tag.
    let (mut collector, mut station) = pair(Suite::Tdes, Form::Stream);
    let frame = seal(&mut collector, b"twelve bytes");
    for len in (9..=16).filter(|len| *len != 12) {
        let mut altered = frame.clone();
        altered[5] = len;
        assert_eq!(refused(&mut station, &altered), OpenError::Refused);
    }
    assert_eq!(station.counters().tag, 7);
}

#[test]
fn truncation_and_excess_at_every_length_are_refused() {
    for suite in Suite::ALL {
        let (mut collector, mut station) = pair(suite, Form::Datagram);
        let frame = seal(&mut collector, b"a payload of some length");
        for len in 0..frame.len() {
            let error = refused(&mut station, &frame[..len]);
            assert!(matches!(error, OpenError::Header(HeaderError::Length { .. })), "{suite:?} {len}: {error:?}");
        }
        let mut longer = frame.clone();
        longer.push(0);
        assert!(matches!(refused(&mut station, &longer), OpenError::Header(HeaderError::Length { .. })));
        assert!(open(&mut station, &frame).is_ok());
    }
}

#[test]
fn an_oversized_length_ends_at_the_header() {
    let (mut collector, _) = pair(Suite::Tdes, Form::Stream);
    let frame = seal(&mut collector, b"x");
    for len in [MAX_PAYLOAD_LEN as u16 + 1, 0x7FFF, u16::MAX] {
        let mut altered = frame.clone();
        altered.splice(4..6, len.to_be_bytes());
        assert_eq!(Header::parse(&altered), Err(HeaderError::PayloadLength { len }));
    }
}

#[test]
fn reflected_frames_are_refused() {
    for suite in Suite::ALL {
        let (mut collector, mut station) = pair(suite, Form::Datagram);
        let up = seal(&mut collector, b"up");
        assert!(matches!(refused(&mut collector, &up), OpenError::Header(HeaderError::Kind { .. })));
        // With the direction bit turned it is another key's frame.
        let mut turned = up.clone();
        turned[2] ^= 0x80;
        assert_eq!(refused(&mut collector, &turned), OpenError::Refused);
        let down = seal(&mut station, b"down");
        assert!(matches!(refused(&mut station, &down), OpenError::Header(HeaderError::Kind { .. })));
    }
}

#[test]
fn frames_of_another_key_peer_suite_or_session_are_refused() {
    for suite in Suite::ALL {
        let (_, mut station) = pair(suite, Form::Stream);
        let mut other_keys = keys(suite);
        other_keys.insert(2, bundle(suite, 2)).unwrap();
        other_keys.set_current(2).unwrap();
        let (mut other, _) = session(&other_keys, Form::Stream, 1);
        let frame = seal(&mut other, b"x");
        assert_eq!(refused(&mut station, &frame), OpenError::Header(HeaderError::KeyId { key_id: 2 }));
        let (mut later, _) = session(&keys(suite), Form::Stream, 2);
        assert_eq!(refused(&mut station, &seal(&mut later, b"x")), OpenError::Header(HeaderError::Session));
        for another in Suite::ALL.into_iter().filter(|another| *another != suite) {
            let (mut other, _) = pair(another, Form::Stream);
            let error = refused(&mut station, &seal(&mut other, b"x"));
            assert_eq!(error, OpenError::Header(HeaderError::Suite { suite: another.code() }));
        }
    }
}

#[test]
fn set_up_frames_are_no_data_and_data_no_set_up() {
    let keys = keys(Suite::Tdes);
    let (mut hello, answer) = asked(&keys, Form::Stream, 9);
    let (mut collector, mut station) = pair(Suite::Tdes, Form::Stream);
    assert!(matches!(refused(&mut station, hello.frame()), OpenError::Header(HeaderError::Kind { .. })));
    assert!(matches!(refused(&mut collector, answer.frame()), OpenError::Header(HeaderError::Kind { .. })));
    assert!(hello.finish(&seal(&mut station, b"")).is_err());
}

#[test]
fn buffers_and_payloads_have_bounds() {
    let (mut collector, mut station) = pair(Suite::Tdes, Form::Stream);
    let mut out = [0xA5; MAX_FRAME_LEN];
    let long = [0; MAX_PAYLOAD_LEN + 1];
    assert_eq!(collector.seal(&long, &mut out).map(|_| ()), Err(SealError::PayloadTooLong { len: 1_025 }));
    let short = &mut out[..HEADER_LEN + 15];
    let error = collector.seal(b"12345678", short).map(|_| ());
    assert_eq!(error, Err(SealError::BufferTooSmall { needed: 32, available: 31 }));
    assert_eq!(out, [0xA5; MAX_FRAME_LEN]);
    let frame = seal(&mut collector, b"12345678");
    let mut small = [0; 7];
    let error = station.open(&frame, &mut small).map(|_| ());
    assert_eq!(error, Err(OpenError::BufferTooSmall { needed: 8, available: 7 }));
    assert_eq!(open(&mut station, &frame), Ok(b"12345678".to_vec()), "the frame is not lost");
}
