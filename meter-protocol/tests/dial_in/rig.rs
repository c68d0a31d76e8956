//! A hub behind a listener, and meters that dial in to it.

use meter_protocol::client::tokio::dial_in::{DialedMeter, Hub, HubConfig, HubEvent, HubEvents};
use meter_protocol::uplink::radio::Serial;
use meter_protocol::virtual_meter::{DialIn, DialInOptions, MeterOptions, MeterSetup, Model, VirtualMeter};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const SERIAL: &str = "00000000000001";
pub(crate) const START_MS: i64 = 1_772_719_650_000;

pub(crate) fn serial() -> Serial {
    Serial::new(SERIAL).unwrap()
}

/// A hub behind a listener on a free port.
pub(crate) async fn hub(config: HubConfig) -> (Hub, HubEvents, std::net::SocketAddr) {
    let (hub, events) = Hub::new([serial()], config).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = hub.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let hub = acceptor.clone();
            tokio::spawn(async move { hub.serve(stream).await });
        }
    });
    (hub, events, address)
}

pub(crate) async fn next(events: &mut HubEvents) -> HubEvent {
    tokio::time::timeout(Duration::from_secs(20), events.next()).await.expect("an event").expect("the hub lives")
}

/// Waits for an event that fits, and drops those before it.
pub(crate) async fn wait_for(events: &mut HubEvents, fits: impl Fn(&HubEvent) -> bool) -> HubEvent {
    loop {
        let event = next(events).await;
        if fits(&event) {
            return event;
        }
    }
}

pub(crate) fn registered(event: &HubEvent) -> bool {
    matches!(event, HubEvent::Registered(registration) if registration.serial == serial())
}

/// What becomes of what the station sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Carried,
    RequestLost,
    ReplyLost,
    /// The meter gets it, and the connection ends before the reply.
    HangUp,
}

/// A meter and its radio module.
pub(crate) struct Behind {
    pub(crate) meter: VirtualMeter,
    module: DialIn,
    /// Requests that came through the tunnel.
    pub(crate) frames: usize,
}

/// A meter that dials in through pipes of this process.
#[derive(Clone)]
pub(crate) struct Dialer {
    behind: Arc<Mutex<Behind>>,
    fate: watch::Sender<Fate>,
}

impl Dialer {
    pub(crate) fn new(model: Model, cipher_key: Option<[u16; 4]>) -> Self {
        let mut setup = MeterSetup::new(model, 1, [2, 0, 2, 6, 0, 3, 0, 5, 0, 0, 1, 2], START_MS);
        (setup.prepay_enabled, setup.remaining_cents, setup.purchase_count) = (true, 2_000, 7);
        setup.cipher_key = cipher_key;
        let meter = VirtualMeter::new(&setup, MeterOptions::default()).unwrap();
        let module = DialIn::new(SERIAL.as_bytes(), DialInOptions { upload_min: 0, ..DialInOptions::default() });
        Self {
            behind: Arc::new(Mutex::new(Behind { meter, module, frames: 0 })),
            fate: watch::Sender::new(Fate::Carried),
        }
    }

    pub(crate) fn behind(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap()
    }

    /// What becomes of everything from now on.
    pub(crate) fn suffer(&self, fate: Fate) {
        self.fate.send_replace(fate);
    }

    /// A connection to the hub that has registered.
    pub(crate) async fn dial(&self, hub: &Hub, events: &mut HubEvents) -> DialedMeter {
        self.connect(hub);
        wait_for(events, registered).await;
        let meter = hub.meter(serial()).expect("it is connected");
        // The first answer comes after the acknowledgement of the registration.
        meter.read_force(1).await.unwrap();
        meter
    }

    /// A connection to the hub. The task ends with it and says whether the module was registered.
    pub(crate) fn connect(&self, hub: &Hub) -> JoinHandle<bool> {
        let (ours, mut theirs) = duplex(4_096);
        let hub = hub.clone();
        tokio::spawn(async move { hub.serve(ours).await });
        let (behind, fate) = (Arc::clone(&self.behind), self.fate.clone());
        tokio::spawn(async move {
            let mut module = behind.lock().unwrap().module.clone();
            if theirs.write_all(&module.connect(START_MS)).await.is_err() {
                return false;
            }
            let mut bytes = [0; 512];
            while let Ok(len @ 1..) = theirs.read(&mut bytes).await {
                let fate = *fate.borrow();
                if fate == Fate::RequestLost {
                    continue;
                }
                let out = {
                    let mut behind = behind.lock().unwrap();
                    behind.frames += bytes[..len].windows(3).filter(|at| *at == [0x7B, 0x7B, 0x90]).count();
                    module.receive(&mut behind.meter, START_MS, &bytes[..len])
                };
                match fate {
                    Fate::HangUp => break,
                    Fate::Carried if theirs.write_all(&out).await.is_err() => break,
                    _ => {}
                }
            }
            module.is_registered()
        })
    }
}
