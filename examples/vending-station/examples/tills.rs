//! Many tills at once over HTTP: each sells, waits until the sale is closed by a read-back, and sells again.
//!
//! `tills HOST:PORT TILLS SECONDS` prints one JSON line: sales, sales a second, and the time from request to closed.

use std::{
    error::Error,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A till looks for the first time after this, and then this often.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LOOK_EVERY: Duration = Duration::from_millis(8);
/// A sale that takes longer ends the measurement.
const TOO_LONG: Duration = Duration::from_secs(30);

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// One kept-alive connection.
struct Till {
    page: String,
    stream: BufReader<TcpStream>,
}

impl Till {
    fn open(page: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(page)?;
        stream.set_nodelay(true)?;
        Ok(Self { page: page.into(), stream: BufReader::new(stream) })
    }

    fn call(&mut self, head: &str, body: &str) -> Outcome<(u16, serde_json::Value)> {
        let request = format!(
            "{head} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            self.page,
            body.len()
        );
        let key = if body.is_empty() { String::new() } else { format!("Idempotency-Key: {}\r\n", new_key()) };
        self.stream.get_mut().write_all(format!("{request}{key}\r\n{body}").as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).unwrap_or_default().parse()?;
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        Ok((status, serde_json::from_slice(&answer)?))
    }

    /// Sells and waits until the sale is closed.
    fn sell(&mut self, account: usize) -> Outcome<Duration> {
        let began = Instant::now();
        let body = serde_json::json!({ "account": account, "amount": "1.00", "channel": "cash" }).to_string();
        let (status, sale) = self.call("POST /api/sales", &body)?;
        if status != 202 {
            return Err(format!("{status}: {sale}").into());
        }
        let head = format!("GET /api/sales/{}", sale["id"]);
        std::thread::sleep(FIRST_LOOK);
        while began.elapsed() < TOO_LONG {
            let (_, sale) = self.call(&head, "")?;
            if sale["closed"] == true {
                return Ok(began.elapsed());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err(format!("{sale} is not closed").into())
    }
}

fn new_key() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("till-{now}-{:016x}", fastrand::u64(..))
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [page, tills, seconds] = &arguments[..] else { return Err("usage: tills HOST:PORT TILLS SECONDS".into()) };
    let (tills, seconds): (usize, u64) = (tills.parse()?, seconds.parse()?);
    let end = Instant::now() + Duration::from_secs(seconds);
    let began = Instant::now();
    let threads: Vec<_> = (1..=tills)
        .map(|account| {
            let page = page.clone();
            std::thread::spawn(move || -> Outcome<Vec<Duration>> {
                let mut till = Till::open(&page)?;
                let mut took = Vec::new();
                while Instant::now() < end {
                    took.push(till.sell(account)?);
                }
                Ok(took)
            })
        })
        .collect();
    let mut took = Vec::new();
    for thread in threads {
        took.extend(thread.join().map_err(|_| "a till has failed")??);
    }
    let elapsed = began.elapsed();
    took.sort_unstable();
    let at = |per_mille: usize| took.get(took.len() * per_mille / 1000).or(took.last()).map_or(0, Duration::as_millis);
    println!(
        "{}",
        serde_json::json!({
            "sales": took.len(),
            "per_second": u128::try_from(took.len())? * 1000 / elapsed.as_millis().max(1),
            "p50_ms": at(500),
            "p99_ms": at(990),
            "max_ms": at(1000),
        })
    );
    Ok(())
}
