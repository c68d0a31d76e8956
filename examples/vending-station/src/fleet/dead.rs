//! Gateways that are dead, each in its own way: what a station has to live with beside those that work.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Connections that may wait to be taken in front of a black hole. The system takes one more.
const WAITING: u32 = 1;
/// A connection that is not made within this time on the same computer finds the queue full.
const FULL_AFTER: Duration = Duration::from_millis(200);
/// Most connections that are made to fill that queue.
const FILLERS_MAX: usize = 8;
/// A dripping gateway sends a byte this often.
const DRIP_EVERY: Duration = Duration::from_secs(1);
/// What it sends: the head of a reply to a read of 48 registers, and then zeros.
const DRIPS: [u8; 3] = [1, 3, 96];

/// What a station meets at the address of a gateway.
#[derive(Debug)]
pub(super) enum Way {
    /// It works.
    Alive(TcpListener),
    /// Nobody listens: connections are refused.
    Refuses,
    /// Connections are neither taken nor refused; those that fill its queue.
    BlackHole { listener: TcpListener, _fillers: Vec<TcpStream> },
    /// Connections are taken, bytes are read, nothing is ever answered.
    Silent(TcpListener),
    /// Connections are taken, and then comes one byte a second.
    Drips(TcpListener),
}

/// Which of the ways it is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Alive,
    Refuses,
    BlackHole,
    Silent,
    Drips,
}

/// The address of a gateway, and what is there.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) address: SocketAddr,
    pub(super) way: Way,
}

/// Spreads `dead` dead gateways evenly over `all`, so that every part of the site has some.
pub(super) fn ways(all: usize, dead: usize) -> impl Iterator<Item = Wanted> {
    let dead = dead.min(all);
    let mut turn = [Wanted::Refuses, Wanted::BlackHole, Wanted::Silent, Wanted::Drips].into_iter().cycle();
    (0..all).map(move |place| {
        let dies = (place + 1) * dead / all > place * dead / all;
        if dies { turn.next().unwrap_or(Wanted::Refuses) } else { Wanted::Alive }
    })
}

/// Opens what is to be at an address.
pub(super) async fn open(address: SocketAddr, wanted: Wanted) -> io::Result<Door> {
    let way = match wanted {
        Wanted::Alive => Way::Alive(TcpListener::bind(address).await?),
        Wanted::Refuses => return Ok(Door { address, way: Way::Refuses }),
        Wanted::BlackHole => black_hole(address).await?,
        Wanted::Silent => Way::Silent(TcpListener::bind(address).await?),
        Wanted::Drips => Way::Drips(TcpListener::bind(address).await?),
    };
    let address = match &way {
        Way::Refuses => address,
        Way::Alive(listener) | Way::BlackHole { listener, .. } | Way::Silent(listener) | Way::Drips(listener) => {
            listener.local_addr()?
        }
    };
    Ok(Door { address, way })
}

async fn black_hole(address: SocketAddr) -> io::Result<Way> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(WAITING)?;
    let address = listener.local_addr()?;
    let mut fillers = Vec::new();
    while fillers.len() < FILLERS_MAX {
        match tokio::time::timeout(FULL_AFTER, TcpStream::connect(address)).await {
            Ok(filler) => fillers.push(filler?),
            Err(_) => break,
        }
    }
    Ok(Way::BlackHole { listener, _fillers: fillers })
}

/// Is dead until it is stopped.
pub(super) async fn stand(way: Way, mut stop: watch::Receiver<bool>) {
    let dies = async {
        match &way {
            Way::Alive(_) | Way::Refuses | Way::BlackHole { .. } => std::future::pending().await,
            Way::Silent(listener) => take(listener, swallow).await,
            Way::Drips(listener) => take(listener, drip).await,
        }
    };
    tokio::select! {
        _ = stop.changed() => {}
        () = dies => {}
    }
}

async fn take<F: Future<Output = ()> + Send + 'static>(listener: &TcpListener, serve: impl Fn(TcpStream) -> F) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => drop(connections.spawn(serve(stream))),
            Err(error) => {
                tracing::warn!(%error, "a dead gateway could not take a connection");
                tokio::time::sleep(FULL_AFTER).await;
            }
        }
    }
}

async fn swallow(mut stream: TcpStream) {
    let mut bytes = [0; 256];
    while let Ok(1..) = stream.read(&mut bytes).await {}
}

async fn drip(stream: TcpStream) {
    let (mut reader, mut writer) = stream.into_split();
    let dripping = async {
        for byte in DRIPS.into_iter().chain(std::iter::repeat(0)) {
            tokio::time::sleep(DRIP_EVERY).await;
            if writer.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    };
    let hearing = async {
        let mut bytes = [0; 256];
        while let Ok(1..) = reader.read(&mut bytes).await {}
    };
    tokio::select! {
        () = dripping => {}
        () = hearing => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_gateways_are_spread_and_take_turns() {
        let ways: Vec<Wanted> = ways(224, 112).collect();
        for wanted in [Wanted::Refuses, Wanted::BlackHole, Wanted::Silent, Wanted::Drips] {
            assert_eq!(ways.iter().filter(|way| **way == wanted).count(), 28, "{wanted:?}");
        }
        assert!(ways.windows(2).all(|pair| pair.contains(&Wanted::Alive)), "no two in a row of half");
        assert!(super::ways(5, 0).all(|way| way == Wanted::Alive));
        assert!(super::ways(5, 9).all(|way| way != Wanted::Alive));
    }

    #[tokio::test]
    async fn each_way_is_what_its_name_says() {
        let free = || SocketAddr::from(([127, 0, 0, 1], 0));
        let (stop, stopped) = watch::channel(false);
        let hole = open(free(), Wanted::BlackHole).await.unwrap();
        let waits = tokio::time::timeout(FULL_AFTER, TcpStream::connect(hole.address)).await;
        assert!(waits.is_err(), "neither taken nor refused: {waits:?}");
        for (wanted, byte) in [(Wanted::Silent, None), (Wanted::Drips, Some(DRIPS[0]))] {
            let door = open(free(), wanted).await.unwrap();
            let address = door.address;
            let standing = tokio::spawn(stand(door.way, stopped.clone()));
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&[1, 3, 0, 0, 0, 1, 0x84, 0x0A]).await.unwrap();
            if let Some(byte) = byte {
                assert_eq!(stream.read_u8().await.unwrap(), byte);
            }
            let more = tokio::time::timeout(FULL_AFTER, stream.read_u8()).await;
            assert!(more.is_err(), "{wanted:?} answers: {more:?}");
            standing.abort();
        }
        // An address where somebody listened a moment ago.
        let was = TcpListener::bind(free()).await.unwrap().local_addr().unwrap();
        let refuses = open(was, Wanted::Refuses).await.unwrap();
        assert!(TcpStream::connect(refuses.address).await.is_err());
        drop(stop);
    }
}
