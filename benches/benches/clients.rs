//! A read of 125 registers and its reply through a whole client, over a pipe in memory: what a driver adds to the codec.

use benches::criterion;
use benches::frames::{MOST_REGISTERS, UNIT, reply, sum};
use criterion::Criterion;
use meter_protocol::client::tokio::{Client, ReplyBuffer};
use meter_protocol::session::LineConfig;
use meter_protocol::wire::{Reply, Request};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio_modbus::client::{Reader as _, rtu};
use tokio_modbus::slave::Slave;

/// Length of a read on the wire.
const REQUEST_LEN: usize = 8;

fn main() {
    let mut criterion = criterion();
    round_trip(&mut criterion);
    criterion.final_summary();
}

fn round_trip(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    let mut group = criterion.benchmark_group("round_trip_125_registers_rtu");
    let request = Request::read_holding(0x0200, MOST_REGISTERS).expect("in range");
    let mut client = Client::new(meter(&runtime), LineConfig::rtu_unpaced());
    let mut buffer = ReplyBuffer::new();
    group.bench_function("meter-protocol", |bencher| {
        bencher.iter(|| match runtime.block_on(client.transact(UNIT, &request, &mut buffer)) {
            Ok(Reply::Registers(registers)) => sum(&registers),
            other => panic!("{other:?}"),
        });
    });
    let mut peer = rtu::attach_slave(meter(&runtime), Slave(UNIT));
    group.bench_function("tokio-modbus", |bencher| {
        bencher.iter(|| {
            let reply = runtime.block_on(peer.read_holding_registers(0x0200, MOST_REGISTERS));
            reply.expect("a reply").expect("no exception").into_iter().fold(0, u16::wrapping_add)
        });
    });
    group.finish();
}

/// The near end of a line whose far end answers every read with the same reply.
fn meter(runtime: &Runtime) -> DuplexStream {
    let (near, mut far) = duplex(1_024);
    runtime.spawn(async move {
        let (frame, mut request) = (reply(MOST_REGISTERS), [0; REQUEST_LEN]);
        while far.read_exact(&mut request).await.is_ok() && far.write_all(&frame).await.is_ok() {}
    });
    near
}
