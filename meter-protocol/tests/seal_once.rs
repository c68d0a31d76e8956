//! What would begin a session's counters anew is refused: a doubled set-up frame, and the record of a stream.
#![cfg(all(feature = "seal-aes", feature = "seal-sm4"))]

#[path = "seal/support.rs"]
mod support;

use meter_protocol::seal::{Form, Link, OpenError, RecordError, SetupError, Suite};
use support::{asked, keys, pair, seal};

/// Datagrams come twice. A second session out of one set-up would use the same counters under the same keys.
#[test]
fn one_set_up_gives_one_session() {
    for suite in Suite::ALL {
        for form in [Form::Stream, Form::Datagram] {
            let (mut hello, mut answer) = asked(&keys(suite), form, 1);
            let mut collector = hello.finish(answer.frame()).unwrap();
            assert_eq!(hello.finish(answer.frame()).unwrap_err(), SetupError::Refused, "{suite:?} {form:?}");
            let confirmation = seal(&mut collector, b"");
            answer.confirm(&confirmation).unwrap();
            assert_eq!(answer.confirm(&confirmation).unwrap_err(), OpenError::Refused, "{suite:?} {form:?}");
        }
    }
}

/// A frame that fails does not use the set-up up: whoever can inject could end it otherwise.
#[test]
fn a_wrong_frame_does_not_spoil_the_set_up() {
    let (mut hello, mut answer) = asked(&keys(Suite::Tdes), Form::Datagram, 1);
    let mut forged = answer.frame().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    assert!(hello.finish(&forged).is_err());
    let mut collector = hello.finish(answer.frame()).unwrap();
    let confirmation = seal(&mut collector, b"");
    assert!(answer.confirm(&forged).is_err());
    answer.confirm(&confirmation).unwrap();
}

/// A stream reserves nothing, so that a stored one would go on at counters that were used.
#[test]
fn a_stream_is_not_stored() {
    let keys = keys(Suite::AesCcm);
    let (collector, station) = pair(Suite::AesCcm, Form::Stream);
    for link in [collector, station] {
        assert_eq!(link.next_record().to_bytes(&keys), Err(RecordError::Stream));
    }
    let (datagram, _) = pair(Suite::AesCcm, Form::Datagram);
    assert!(Link::resume(&keys, &datagram.next_record().to_bytes(&keys).unwrap()).is_ok());
}
