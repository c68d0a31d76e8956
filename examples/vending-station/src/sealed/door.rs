//! Puts the station's side together: a task for each collector, and a desk for each of its lines.

use super::{
    gate::{Gate, GateError},
    guard::Guard,
    peer::{PeerLine, PeerSetup},
};
use crate::{
    collect::{
        desk::DeskSetup,
        line,
        order::{Order, Report},
        reading,
    },
    site::model,
};
use meter_protocol::seal::SuitePolicy;
use prepay_core::id::MeterNumber;
use std::{collections::HashMap, path::PathBuf};
use tokio::{net::TcpListener, sync::mpsc};

/// Where collectors come in.
#[derive(Debug)]
pub struct Door {
    /// Takes their connections.
    pub listener: TcpListener,
    /// The folder of their key files.
    pub keys: PathBuf,
    /// Until when 3DES is taken.
    pub policy: SuitePolicy,
}

/// A line behind a collector, as the station sets it up.
#[derive(Debug)]
pub(crate) struct RemoteLine {
    pub(crate) line: PeerLine,
    pub(crate) for_desk: mpsc::Receiver<Report>,
    pub(crate) desk: DeskSetup,
}

impl Door {
    /// Starts a task for each collector and takes connections. `seat` starts the desk of a line.
    pub(crate) fn open(
        self,
        collectors: &[model::Collector],
        mut lines: HashMap<String, Vec<RemoteLine>>,
        newest: &HashMap<MeterNumber, i64>,
        shared: &line::Shared,
        mut seat: impl FnMut(DeskSetup, mpsc::Sender<Order>, mpsc::Receiver<Report>),
    ) -> Result<Gate, GateError> {
        // A reading that is stored was taken at a time that this station has seen.
        let now_utc_s = newest.values().copied().fold(shared.clock.utc_s(), i64::max);
        let mut gate = Gate::guarded(Guard::open(self.policy, &self.keys, now_utc_s)?, shared.clock);
        for collector in collectors {
            let lines = lines.remove(&collector.code).unwrap_or_default();
            let meters = lines.iter().map(|remote| remote.line.setup.meters.len()).sum();
            let (orders, from_desks) = line::orders(meters);
            let baud = lines.first().map_or(reading::USUAL_BAUD, |remote| remote.line.setup.baud);
            let status = reading::status_read(&shared.patience.line(baud), &shared.spectacles.profile)?;
            let mut own = Vec::new();
            for RemoteLine { line, for_desk, desk } in lines {
                own.push(line);
                seat(desk, orders.clone(), for_desk);
            }
            let setup = PeerSetup {
                lines: own,
                orders: from_desks,
                newest: newest.clone(),
                clock: shared.clock,
                patience: shared.patience,
                spectacles: shared.spectacles.clone(),
                status,
                totals: shared.totals.clone(),
            };
            gate.add(collector, &self.keys, setup)?;
        }
        gate.take(self.listener);
        Ok(gate)
    }
}
