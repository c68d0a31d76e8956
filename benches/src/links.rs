//! A sealed link, set up.

use meter_protocol::seal::{Form, Hello, HelloRequest, KeyBundle, Link, MAX_FRAME_LEN, Nonce, PeerId, PeerKeys, Suite};

/// Bytes that make a good key of any suite.
#[must_use]
pub fn key_bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i as u8).wrapping_mul(37) ^ 0x5B).collect()
}

/// Collector and station of a stream that is set up.
///
/// # Panics
///
/// If the set-up fails.
#[must_use]
pub fn session(suite: Suite) -> (Link, Link) {
    let mut keys = PeerKeys::new(PeerId(7));
    keys.insert(1, KeyBundle::from_slice(suite, &key_bytes(suite.key_len())).expect("a good key")).expect("one key");
    let mut hello = Hello::new(&keys, Form::Stream, Nonce([1; 16])).expect("a key is there");
    let request = HelloRequest::read(hello.frame()).expect("a question");
    let mut answer = request.answer(&keys, Nonce([2; 16])).expect("the same keys");
    let mut collector = hello.finish(answer.frame()).expect("the same keys");
    let mut frame = [0; MAX_FRAME_LEN];
    let station = answer.confirm(collector.seal(b"", &mut frame).expect("room")).expect("an empty frame");
    (collector, station)
}
