//! The driver over streams: both ends, garbage, silence, cut and altered bytes.
#![cfg(all(feature = "seal-aes", feature = "seal-sm4", feature = "tokio"))]

#[path = "seal/support.rs"]
mod support;

use meter_protocol::seal::tokio::{Halves, LinkError, SETUP_TIMEOUT, SealedReader, accept, connect};
use meter_protocol::seal::{Form, Hello, MAX_PAYLOAD_LEN, Nonce, PeerKeys, SealError, Suite, SuitePolicy};
use support::{Dice, PEER, keys};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};

type Half = Halves<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

async fn linked(keys: &PeerKeys, buffer: usize) -> (Half, Half) {
    let (near, far) = duplex(buffer);
    let ((near_in, near_out), (far_in, far_out)) = (split(near), split(far));
    let (collector, station) = tokio::join!(
        connect(near_in, near_out, keys, Nonce([1; 16])),
        accept(far_in, far_out, Nonce([2; 16]), |request| (request.peer() == PEER).then_some(keys)),
    );
    let (peer, reader, writer) = station.unwrap();
    assert_eq!(peer, PEER);
    (collector.unwrap(), (reader, writer))
}

#[tokio::test]
async fn payloads_pass_both_ways_at_once() {
    for suite in Suite::ALL {
        let keys = keys(suite);
        // A buffer that is shorter than a frame.
        let ((mut up_in, mut up_out), (mut down_in, mut down_out)) = linked(&keys, 100).await;
        let payloads: Vec<Vec<u8>> = (0..50).map(|n| vec![n; usize::from(n) * 20]).collect();
        let up = async {
            for payload in &payloads {
                up_out.send(payload).await.unwrap();
            }
        };
        let down = async {
            for payload in &payloads {
                down_out.send(payload).await.unwrap();
            }
        };
        let read_up = async {
            for payload in &payloads {
                assert_eq!(down_in.recv().await.unwrap(), payload);
            }
        };
        let read_down = async {
            for payload in &payloads {
                assert_eq!(up_in.recv().await.unwrap(), payload);
            }
        };
        tokio::join!(up, down, read_up, read_down);
        let long = up_out.send(&[0; MAX_PAYLOAD_LEN + 1]).await;
        assert!(matches!(long, Err(LinkError::Seal(SealError::PayloadTooLong { .. }))));
        up_out.send(b"still usable").await.unwrap();
        assert_eq!(down_in.recv().await.unwrap(), b"still usable");
        drop((up_in, up_out));
        assert!(matches!(down_in.recv().await, Err(LinkError::Closed)));
        assert!(matches!(down_in.recv().await, Err(LinkError::Failed)));
    }
}

#[tokio::test(start_paused = true)]
async fn receiving_and_sending_may_be_cancelled() {
    let keys = keys(Suite::AesCcm);
    let ((_up_in, mut up_out), (mut down_in, _down_out)) = linked(&keys, 16).await;
    // The stream takes 16 bytes at a time: both are cancelled in the middle of a frame.
    let tick = std::time::Duration::from_millis(1);
    let sent = async {
        assert!(tokio::time::timeout(tick, up_out.send(&[7; 300])).await.is_err(), "nobody reads yet");
        tokio::time::sleep(tick * 10).await;
        up_out.send(b"second").await.unwrap();
    };
    let received = async {
        tokio::time::sleep(tick * 5).await;
        assert!(tokio::time::timeout(tick, down_in.recv()).await.is_err(), "not all is there");
        assert_eq!(down_in.recv().await.unwrap(), [7; 300]);
        assert_eq!(down_in.recv().await.unwrap(), b"second");
    };
    tokio::join!(sent, received);
}

/// A thousand connections that say anything: each ends refused, without a byte back, and the memory of one stays that
/// of one reader.
#[tokio::test(start_paused = true)]
async fn a_thousand_garbage_connections() {
    let seed = 0x6A5B;
    println!("seed {seed:#x}");
    let mut dice = Dice(seed);
    let keys = keys(Suite::Tdes);
    let hello = Hello::new(&keys, Form::Stream, Nonce([5; 16])).unwrap();
    for n in 0..1_000 {
        let mut bytes = match n % 4 {
            0 => {
                let len = dice.below(3_000);
                dice.bytes(len)
            }
            1 => b"GET / HTTP/1.1\r\nHost: station\r\n\r\n".to_vec(),
            // A header that promises what is allowed, and noise.
            2 => [&[1, 1, 0, 1, 4, 0][..], &dice.bytes(2_000)].concat(),
            // A right question with a bit flipped, or none and noise where the confirmation belongs.
            _ => hello.frame().to_vec(),
        };
        let right = n % 8 == 3;
        if n % 8 == 7 {
            let bit = dice.below(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        if right {
            bytes.extend([&[1, 1, 0, 1, 0, 0, 0, 0][..], &dice.bytes(16)].concat());
        }
        let (mut near, far) = duplex(8_192);
        near.write_all(&bytes).await.unwrap();
        near.shutdown().await.unwrap();
        let (reader, writer) = split(far);
        let error = accept(reader, writer, Nonce([6; 16]), |_| Some(&keys)).await.map(|_| ()).unwrap_err();
        assert!(matches!(error, LinkError::Refused | LinkError::Closed), "{n}: {error:?}");
        let mut back = Vec::new();
        near.read_to_end(&mut back).await.unwrap();
        // The answer to a right question is all that ever comes.
        assert_eq!(back.len(), if right { 16 + 16 + 8 } else { 0 }, "{n}");
    }
    assert!(size_of::<SealedReader<DuplexStream>>() < 8 * 1_024);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_the_set_up() {
    let keys = keys(Suite::Tdes);
    let (near, far) = duplex(64);
    let (reader, writer) = split(far);
    let began = tokio::time::Instant::now();
    let error = accept(reader, writer, Nonce([6; 16]), |_| Some(&keys)).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, LinkError::TimedOut));
    assert_eq!(began.elapsed(), SETUP_TIMEOUT);
    drop(near);
}

#[tokio::test]
async fn an_altered_or_cut_frame_ends_the_link() {
    for altered in [true, false] {
        let keys = keys(Suite::Sm4Ccm);
        let (near, mut middle_near) = duplex(4_096);
        let (mut middle_far, far) = duplex(4_096);
        let relay = async {
            // Set-up and confirmation pass.
            let mut buffer = [0; 4_096];
            let mut pass = async |from: &mut DuplexStream, to: &mut DuplexStream| {
                let len = from.read(&mut buffer).await.unwrap();
                to.write_all(&buffer[..len]).await.unwrap();
            };
            pass(&mut middle_near, &mut middle_far).await;
            pass(&mut middle_far, &mut middle_near).await;
            pass(&mut middle_near, &mut middle_far).await;
            let len = middle_near.read(&mut buffer).await.unwrap();
            buffer[20] ^= u8::from(altered);
            middle_far.write_all(&buffer[..if altered { len } else { len - 1 }]).await.unwrap();
            middle_far.shutdown().await.unwrap();
        };
        let ends = async {
            let ((near_in, near_out), (far_in, far_out)) = (split(near), split(far));
            let (collector, station) = tokio::join!(
                connect(near_in, near_out, &keys, Nonce([1; 16])),
                accept(far_in, far_out, Nonce([2; 16]), |_| Some(&keys)),
            );
            let ((_in, mut out), (_, mut reader, _out)) = (collector.unwrap(), station.unwrap());
            out.send(b"sale").await.unwrap();
            assert!(matches!(reader.recv().await, Err(LinkError::Refused)), "altered {altered}");
            assert!(matches!(reader.recv().await, Err(LinkError::Failed)));
        };
        tokio::join!(relay, ends);
    }
}

#[tokio::test]
async fn a_suite_whose_time_is_over_is_refused() {
    for (suite, welcome) in [(Suite::Tdes, false), (Suite::AesCcm, true)] {
        let keys = keys(suite);
        let mut policy = SuitePolicy::refuse_tdes_from(1_000);
        assert!(policy.allows(suite, 999));
        let _ = policy.allows(suite, 1_000);
        let (near, far) = duplex(4_096);
        let ((near_in, near_out), (far_in, far_out)) = (split(near), split(far));
        // The clock is back at 500; the date is not undone.
        let station =
            accept(far_in, far_out, Nonce([2; 16]), |request| policy.allows(request.suite(), 500).then_some(&keys));
        let (collector, station) = tokio::join!(connect(near_in, near_out, &keys, Nonce([1; 16])), station);
        assert_eq!((collector.is_ok(), station.is_ok()), (welcome, welcome), "{suite:?}");
    }
}
