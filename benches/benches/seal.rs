//! A sealed frame beside what it can't do without: its own number of 3DES block operations, and CBC with CMAC over the
//! bare payload. Suites 2 and 3 stand beside it.

use benches::criterion;
use benches::links::{key_bytes, session};
use cipher::{Block, BlockCipherEncrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use cmac::Mac;
use criterion::{Criterion, Throughput};
use des::TdesEde3;
use meter_protocol::seal::{MAX_FRAME_LEN, MAX_PAYLOAD_LEN, Suite};
use std::hint::black_box;

type DesBlock = Block<TdesEde3>;

const SIZES: [usize; 2] = [64, 1_024];

fn main() {
    let mut criterion = criterion();
    for size in SIZES {
        sealing(&mut criterion, size);
        opening(&mut criterion, size);
    }
    criterion.final_summary();
}

/// Blocks that a frame of suite 1 costs: one for the IV, each of the body twice, the header under the MAC.
const fn blocks_of(size: usize) -> usize {
    1 + size / 8 + 2 + size / 8
}

fn sealing(criterion: &mut Criterion, size: usize) {
    let payload = vec![0x5A; size];
    let cipher = TdesEde3::new_from_slice(&key_bytes(24)).expect("24 bytes");
    let keyed = cmac::Cmac::<TdesEde3>::new_from_slice(&key_bytes(25)[1..]).expect("24 bytes");
    let mut group = criterion.benchmark_group(format!("seal_{size}_bytes"));
    group.throughput(Throughput::Bytes(size as u64));
    for suite in Suite::ALL {
        let (mut collector, _) = session(suite);
        let mut frame = [0; MAX_FRAME_LEN];
        group.bench_function(format!("suite {}", suite.code()), |bencher| {
            bencher.iter(|| collector.seal(black_box(&payload), &mut frame).map(<[u8]>::len).expect("room"));
        });
    }
    group.bench_function("block operations of the frame", |bencher| {
        // One after the other on what the last one gave, as a chain must.
        let mut block = DesBlock::default();
        bencher.iter(|| {
            for _ in 0..blocks_of(size) {
                cipher.encrypt_block(&mut block);
            }
            black_box(block)
        });
    });
    group.bench_function("cbc and cmac of the bare payload", |bencher| {
        let mut buffer = payload.clone();
        bencher.iter(|| {
            let mut cbc = cbc::Encryptor::inner_iv_init(&cipher, &DesBlock::default());
            buffer.clone_from(black_box(&payload));
            cbc.encrypt_blocks(DesBlock::slice_as_chunks_mut(&mut buffer).0);
            let mut mac = keyed.clone();
            mac.update(&buffer);
            black_box(mac.finalize().into_bytes())
        });
    });
    group.finish();
}

/// Frames of one stream, sealed and opened.
fn opening(criterion: &mut Criterion, size: usize) {
    let payload = vec![0x5A; size];
    let mut group = criterion.benchmark_group(format!("open_{size}_bytes"));
    group.throughput(Throughput::Bytes(size as u64));
    for suite in Suite::ALL {
        let (mut collector, station) = session(suite);
        let (mut frame, mut out) = ([0; MAX_FRAME_LEN], [0; MAX_PAYLOAD_LEN]);
        let (_, mut receiver) = station.into_parts();
        group.bench_function(format!("suite {}, sealed and opened", suite.code()), |bencher| {
            bencher.iter(|| {
                let sealed = collector.seal(black_box(&payload), &mut frame).expect("room");
                receiver.open(sealed, &mut out).map(<[u8]>::len).expect("the next frame")
            });
        });
    }
    group.finish();
}
