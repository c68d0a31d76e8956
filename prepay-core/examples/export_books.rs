//! Simulates a year and writes its books for other tools.
//!
//! ```text
//! cargo run --release -p prepay-core --features sim --example export_books -- FOLDER [SEED] [SHOPS]
//! ```
//!
//! Writes `books.journal` (hledger), `books.beancount`, `balances.tsv` (what both should find) and `chain.txt` (for
//! `verify_chain`); prints the head of the chain.

use std::error::Error;
use std::fs;
use std::path::Path;

use prepay_core::export::{Exporter, Format, chain_header, chain_line, exported_balances};
use prepay_core::sim::year;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: export_books FOLDER [SEED] [SHOPS]")?;
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (seed, shops) = (number(1)?, number(12)?);
    let year = year(seed, shops)?;
    let currency = year.ledger.currency();
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    for (format, name) in [(Format::Hledger, "books.journal"), (Format::Beancount, "books.beancount")] {
        let (mut text, mut exporter) = (String::new(), Exporter::new(format, currency));
        for entry in &year.journal {
            exporter.entry(entry, &mut text)?;
        }
        fs::write(folder.join(name), text)?;
    }
    let balances = exported_balances(&year.ledger)?.into_iter();
    let balances: String = balances.map(|(name, sum)| format!("{name}\t{}\n", sum.display(currency))).collect();
    fs::write(folder.join("balances.tsv"), balances)?;
    let mut chain = String::new();
    chain_header(currency, year.ledger.shard(), &mut chain)?;
    year.journal.iter().try_for_each(|entry| chain_line(entry, &mut chain))?;
    fs::write(folder.join("chain.txt"), chain)?;
    let (vends, head) = (year.report.vends, year.ledger.head());
    println!("{shops} shops, {vends} vends, {} lines; head {} {}", year.journal.len(), head.seq, head.hash);
    Ok(())
}
