//! 4G meters dial in over real TCP: the virtual meter with its radio module on one side, the hub on the other.

use crate::rig::{SERIAL, START_MS, hub, registered, serial, wait_for};
use meter_protocol::acrel::{Clock, ForceMode, ForceState, Purchase, Realtime, RealtimeLayout};
use meter_protocol::client::tokio::dial_in::{DialedMeter, HubConfig, HubEvent, RefusalReason};
use meter_protocol::client::tokio::{ReplyBuffer, TransactError};
use meter_protocol::session::{NoReply, NotTransmitted};
use meter_protocol::uplink::radio::CloseReason;
use meter_protocol::virtual_meter::{DialIn, DialInOptions, MeterOptions, MeterSetup, Model, VirtualMeter};
use meter_protocol::wire::Reply;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A meter that dials in, registers and answers until the connection ends or it is told to hang up.
fn dial(
    address: std::net::SocketAddr,
    serial: &'static str,
    options: DialInOptions,
    mut hang_up: oneshot::Receiver<()>,
) -> JoinHandle<(VirtualMeter, DialIn)> {
    tokio::spawn(async move {
        let mut setup = MeterSetup::new(Model::Ddsy1352, 1, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], START_MS);
        setup.prepay_enabled = true;
        setup.remaining_cents = 20_00;
        let mut meter = VirtualMeter::new(&setup, MeterOptions::default()).unwrap();
        let mut module = DialIn::new(serial.as_bytes(), options);
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&module.connect(START_MS)).await.unwrap();
        let mut bytes = [0; 256];
        let mut now_ms = START_MS;
        let mut asked = false;
        loop {
            tokio::select! {
                read = stream.read(&mut bytes) => match read {
                    Ok(len @ 1..) => {
                        now_ms += 60_000;
                        let mut out = module.receive(&mut meter, now_ms, &bytes[..len]);
                        out.extend(module.tick(&mut meter, now_ms));
                        if module.is_registered() && !asked {
                            asked = true;
                            out.extend(module.ask_time());
                        }
                        if stream.write_all(&out).await.is_err() {
                            return (meter, module);
                        }
                    }
                    _ => return (meter, module),
                },
                _ = &mut hang_up => return (meter, module),
            }
        }
    })
}

async fn realtime(meter: &DialedMeter) -> Result<Realtime, TransactError> {
    let mut buffer = ReplyBuffer::new();
    match meter.transact(1, &Realtime::READ, &mut buffer).await? {
        Reply::Registers(registers) => Ok(Realtime::from_registers(RealtimeLayout::FourRate, &registers).unwrap()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_registered_meter_is_read_switched_and_sold_to_through_the_tunnel() {
    for serial_before_reply in [false, true] {
        let mut config = HubConfig::default();
        config.clock = Some(Arc::new(|| Clock::new(2026, 3, 5, 14, 7, 30).unwrap()));
        let (hub, mut events, address) = hub(config).await;
        assert!(hub.meter(serial()).is_none());
        let (_hang_up, told) = oneshot::channel();
        let options = DialInOptions { serial_before_reply, upload_min: 1, ..DialInOptions::default() };
        let running = dial(address, SERIAL, options, told);
        wait_for(&mut events, registered).await;
        let meter = hub.meter(serial()).expect("it is connected");
        assert_eq!((hub.connected(), meter.is_connected()), (1, true));

        let before = realtime(&meter).await.unwrap();
        assert_eq!((before.remaining_minor, before.purchase_count), (20_00, 0));
        wait_for(&mut events, |event| matches!(event, HubEvent::TimeAsked(_))).await;
        let sale = Purchase::new(100_00, before.purchase_count).unwrap();
        meter.transact(1, &sale.request(), &mut ReplyBuffer::new()).await.unwrap();
        let after = realtime(&meter).await.unwrap();
        assert_eq!((after.remaining_minor, after.purchase_count), (120_00, 1));
        assert_eq!(after.clock.unwrap().year(), 2026);
        meter.transact(1, &ForceMode::SupplyOff.request(), &mut ReplyBuffer::new()).await.unwrap();
        let uploaded = wait_for(&mut events, |event| matches!(event, HubEvent::Upload { .. })).await;
        let HubEvent::Upload { address, data: Some(data), .. } = uploaded else { panic!("{uploaded:?}") };
        let layout = RealtimeLayout::of_upload(data.len()).unwrap();
        assert_eq!((address.as_str(), Realtime::parse(layout, &data).unwrap().pt_ratio), ("1-1", 1));

        drop(_hang_up);
        let (software, module) = running.await.unwrap();
        assert!(!software.relay_closed() && module.acknowledged_uploads() > 0);
        wait_for(&mut events, |event| matches!(event, HubEvent::Closed { serial: Some(_), .. })).await;
        assert!(hub.meter(serial()).is_none() && !meter.is_connected());
        let error = realtime(&meter).await.unwrap_err();
        assert!(matches!(error, TransactError::NotTransmitted { reason: NotTransmitted::LinkDown, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_second_connection_with_the_same_serial_is_refused_and_reported() {
    let (hub, mut events, address) = hub(HubConfig::default()).await;
    let (hang_up, told) = oneshot::channel();
    let first = dial(address, SERIAL, DialInOptions::default(), told);
    wait_for(&mut events, registered).await;
    let link = hub.meter(serial()).unwrap().link();

    let (_never, told) = oneshot::channel();
    let second = dial(address, SERIAL, DialInOptions::default(), told);
    let refused = wait_for(&mut events, |event| matches!(event, HubEvent::Refused { .. })).await;
    let wanted = HubEvent::Refused { serial: Some(serial()), reason: RefusalReason::AlreadyConnected };
    assert_eq!(refused, wanted);
    assert!(!second.await.unwrap().1.is_registered(), "it was never acknowledged");
    let (_never, told) = oneshot::channel();
    dial(address, "stranger", DialInOptions::default(), told);
    let refused = wait_for(&mut events, |event| matches!(event, HubEvent::Refused { .. })).await;
    assert!(matches!(refused, HubEvent::Refused { reason: RefusalReason::NotListed, .. }), "{refused:?}");

    // The first is not disturbed.
    assert_eq!(realtime(&hub.meter(serial()).unwrap()).await.unwrap().remaining_minor, 20_00);
    drop(hang_up);
    first.await.unwrap();
    wait_for(&mut events, |event| matches!(event, HubEvent::Closed { serial: Some(_), .. })).await;
    // After it the meter may dial in again: on another connection, so that confirmations have ended.
    let (_hang_up, told) = oneshot::channel();
    dial(address, SERIAL, DialInOptions::default(), told);
    wait_for(&mut events, registered).await;
    let meter = hub.meter(serial()).unwrap();
    assert_ne!(meter.link(), link);
    assert_eq!(realtime(&meter).await.unwrap().remaining_minor, 20_00);
}

#[tokio::test]
async fn a_write_that_the_module_only_acknowledges_is_read_back() {
    let mut config = HubConfig::default();
    config.station.line = config.station.line.with_response_timeout_us(5_000_000).with_longest_response_us(50_000);
    let (hub, mut events, address) = hub(config).await;
    let (_hang_up, told) = oneshot::channel();
    let options = DialInOptions { serial_acknowledges_write: true, ..DialInOptions::default() };
    dial(address, SERIAL, options, told);
    wait_for(&mut events, registered).await;
    let meter = hub.meter(serial()).unwrap();
    let mut buffer = ReplyBuffer::new();
    let error = meter.transact(1, &ForceMode::SupplyOff.request(), &mut buffer).await.unwrap_err();
    assert!(matches!(error, TransactError::NoReply { reason: NoReply::Acknowledged, .. }), "{error:?}");
    assert!(error.may_have_acted());
    let Reply::Registers(registers) = meter.transact(1, &ForceState::READ, &mut buffer).await.unwrap() else {
        panic!()
    };
    assert_eq!(ForceState::from_registers(&registers).unwrap().mode(), Some(ForceMode::SupplyOff));
}

#[tokio::test]
async fn a_connection_lost_in_a_write_leaves_its_outcome_open() {
    let (hub, mut events, address) = hub(HubConfig::default()).await;
    // A peer that registers and then never answers.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&DialIn::new(SERIAL.as_bytes(), DialInOptions::default()).connect(START_MS)).await.unwrap();
    wait_for(&mut events, registered).await;
    let meter = hub.meter(serial()).unwrap();
    let queued = meter.clone();
    let sale = tokio::spawn(async move {
        meter.transact(1, &Purchase::new(100_00, 0).unwrap().request(), &mut ReplyBuffer::new()).await.map(|_| ())
    });
    // The acknowledgement and the sale have come.
    let mut bytes = vec![0; 7 + 24];
    stream.read_exact(&mut bytes).await.unwrap();
    let waiting = tokio::spawn(async move { realtime(&queued).await.map(|_| ()) });
    tokio::task::yield_now().await;
    drop(stream);
    let error = sale.await.unwrap().unwrap_err();
    assert!(matches!(error, TransactError::NoReply { reason: NoReply::LinkDown, .. }), "{error:?}");
    assert!(error.may_have_acted());
    assert!(!waiting.await.unwrap().unwrap_err().may_have_acted(), "it waited for the sale and never left");
    let closed = wait_for(&mut events, |event| matches!(event, HubEvent::Closed { .. })).await;
    assert_eq!(closed, HubEvent::Closed { serial: Some(serial()), reason: CloseReason::LinkDown });
}

#[tokio::test]
async fn no_more_connections_than_allowed() {
    let mut config = HubConfig::default();
    config.connections_max = 1;
    let (_hub, mut events, address) = hub(config).await;
    let (_hang_up, told) = oneshot::channel();
    dial(address, SERIAL, DialInOptions::default(), told);
    wait_for(&mut events, registered).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let refused = wait_for(&mut events, |event| matches!(event, HubEvent::Refused { .. })).await;
    assert_eq!(refused, HubEvent::Refused { serial: None, reason: RefusalReason::TooManyConnections });
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0, "it is closed");
}
