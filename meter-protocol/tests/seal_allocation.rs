//! Setting up, sealing, opening and messages do not allocate.
#![cfg(all(feature = "seal-aes", feature = "seal-sm4"))]

#[path = "seal/support.rs"]
mod support;

use meter_protocol::seal::message::{Ack, Envelope, Message, MessageId};
use meter_protocol::seal::{Deframer, Form, Hello, HelloRequest, Link, MAX_FRAME_LEN, MAX_PAYLOAD_LEN, Nonce, Suite};
use support::keys;

#[test]
fn the_sealed_link_does_not_allocate() {
    for suite in Suite::ALL {
        let keys = keys(suite);
        let allocations = allocation_counter::measure(|| {
            let mut hello = Hello::new(&keys, Form::Datagram, Nonce([1; 16])).unwrap();
            let mut answer = HelloRequest::read(hello.frame()).unwrap().answer(&keys, Nonce([2; 16])).unwrap();
            let mut collector = hello.finish(answer.frame()).unwrap();
            collector.commit(&collector.next_record()).unwrap();
            let (mut frame, mut out) = ([0; MAX_FRAME_LEN], [0; MAX_PAYLOAD_LEN]);
            let mut station = answer.confirm(collector.seal(b"", &mut frame).unwrap()).unwrap();
            let (mut payload, mut deframer) = ([0; MAX_PAYLOAD_LEN], Deframer::new());
            let envelope = Envelope { id: MessageId([3; 16]), message: Message::Ack(Ack { ids: &[[4; 16]; 32] }) };
            let payload = envelope.emit(&mut payload).unwrap();
            deframer.push(collector.seal(payload, &mut frame).unwrap());
            let sealed = deframer.frame().unwrap().unwrap();
            assert!(station.open(sealed, &mut out).is_err(), "the mark first");
            station.commit(&station.next_record()).unwrap();
            assert_eq!(Envelope::parse(station.open(sealed, &mut out).unwrap()), Ok(envelope));
            assert!(station.open(sealed, &mut out).is_err(), "a replay");
            collector.advance_epoch().unwrap();
            let record = collector.next_record().to_bytes(&keys).unwrap();
            drop(Link::resume(&keys, &record).unwrap());
        });
        assert_eq!(allocations.count_total, 0, "{suite:?}");
    }
    assert!(allocation_counter::measure(|| drop(vec![1, 2, 3])).count_total > 0, "the counter counts");
}
