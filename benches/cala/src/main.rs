//! Durable transfers a second on PostgreSQL: cala-ledger beside prepay-core, whose chained lines are kept in a table.
//!
//! Both commit each transfer by itself, with the server's ordinary settings. cala-ledger keeps balances in the database and
//! works from many connections; prepay-core keeps them in memory, and one writer stores its lines.

use benches::books::{Station, request};
use cala_ledger::account::NewAccount;
use cala_ledger::journal::NewJournal;
use cala_ledger::tx_template::{
    NewParamDefinition, NewTxTemplate, NewTxTemplateEntry, NewTxTemplateTransaction, ParamDataType, Params,
};
use cala_ledger::{AccountId, CalaLedger, CalaLedgerConfig, JournalId, TransactionId, job};
use rust_decimal::Decimal;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use std::error::Error;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Customers among whom money moves.
const CUSTOMERS: u64 = 1_000;
/// How long each way is measured.
const TIME: Duration = Duration::from_secs(10);
/// Clients at once, for the ways that allow it.
const CLIENTS: [u32; 2] = [1, 16];
const TEMPLATE: &str = "MOVE";

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let address = std::env::var("TEST_POSTGRES").map_err(|_| "TEST_POSTGRES is not set: run scripts/bench-peers")?;
    let pool = PgPoolOptions::new().max_connections(20).connect(&address).await?;
    let ours = lines(&pool).await?;
    println!("prepay-core, one line a transaction, 1 client: {ours:.0} a second");
    let books = Books::open(pool).await?;
    for clients in CLIENTS {
        let theirs = books.rate(clients).await?;
        println!(
            "cala-ledger, {clients} clients: {theirs:.0} a second; prepay-core is {:.1} times as fast",
            ours / theirs
        );
    }
    Ok(())
}

/// Transfers a second of prepay-core, each with its line in a table before the next begins.
async fn lines(pool: &PgPool) -> Result<f64, Failure> {
    sqlx::query("CREATE TABLE lines (n BIGINT PRIMARY KEY, record BYTEA NOT NULL, hash BYTEA NOT NULL)")
        .execute(pool)
        .await?;
    let mut station = Station::new(CUSTOMERS);
    let begun = Instant::now();
    let mut n = CUSTOMERS;
    while begun.elapsed() < TIME {
        station.take(&request(n, CUSTOMERS));
        let line = station.newest().ok_or("a transfer has a line")?;
        let insert = "INSERT INTO lines (n, record, hash) VALUES ($1, $2, $3)";
        let (number, record) = (i64::try_from(line.seq)?, line.record());
        sqlx::query(insert).bind(number).bind(&record[..]).bind(&line.hash.as_bytes()[..]).execute(pool).await?;
        n += 1;
    }
    Ok((n - CUSTOMERS) as f64 / begun.elapsed().as_secs_f64())
}

/// A journal of cala-ledger with its customers.
struct Books {
    ledger: CalaLedger,
    journal: JournalId,
    customers: Vec<(AccountId, AccountId)>,
    _jobs: job::Jobs,
}

impl Books {
    async fn open(pool: PgPool) -> Result<Self, Failure> {
        let config = CalaLedgerConfig::builder().pool(pool.clone()).exec_migrations(true).build()?;
        let mut jobs = job::Jobs::init(job::JobSvcConfig::builder().pool(pool).build()?).await?;
        let ledger = CalaLedger::init(config, &mut jobs).await?;
        let journal = JournalId::new();
        ledger.journals().create(NewJournal::builder().id(journal).name("shops").build()).await?;
        ledger.tx_templates().create(template()?).await?;
        let mut customers = Vec::new();
        for customer in 0..CUSTOMERS {
            let (purse, meter) = (AccountId::new(), AccountId::new());
            for (id, kind) in [(purse, "purse"), (meter, "meter")] {
                let code = format!("{kind}-{customer}");
                ledger.accounts().create(NewAccount::builder().id(id).name(code.clone()).code(code).build()).await?;
            }
            customers.push((purse, meter));
        }
        Ok(Self { ledger, journal, customers, _jobs: jobs })
    }

    /// Transfers a second of so many clients at once.
    async fn rate(&self, clients: u32) -> Result<f64, Failure> {
        let begun = Instant::now();
        let mut tasks = Vec::new();
        for client in 0..clients {
            let (ledger, journal, customers) = (self.ledger.clone(), self.journal, self.customers.clone());
            tasks.push(tokio::spawn(async move {
                let mut done = 0_u32;
                let (mut at, step) = (client as usize, clients as usize);
                while begun.elapsed() < TIME {
                    let (purse, meter) = customers[at % customers.len()];
                    let mut params = Params::new();
                    params.insert("journal_id", journal);
                    params.insert("from", purse);
                    params.insert("to", meter);
                    params.insert("amount", Decimal::new(1, 2));
                    ledger.post_transaction(TransactionId::new(), TEMPLATE, params).await?;
                    done += 1;
                    at += step;
                }
                Ok::<_, Failure>(done)
            }));
        }
        let mut total = 0;
        for task in tasks {
            total += task.await??;
        }
        Ok(f64::from(total) / begun.elapsed().as_secs_f64())
    }
}

/// One amount from an account to another.
fn template() -> Result<NewTxTemplate, Failure> {
    let parameter = |name: &str, kind| NewParamDefinition::builder().name(name).r#type(kind).build();
    let entry = |kind: &str, account: &str, direction: &str| {
        NewTxTemplateEntry::builder()
            .entry_type(kind)
            .account_id(account)
            .layer("SETTLED")
            .direction(direction)
            .units("params.amount")
            .currency("'CNY'")
            .build()
    };
    let transaction =
        NewTxTemplateTransaction::builder().effective("date()").journal_id("params.journal_id").build()?;
    Ok(NewTxTemplate::builder()
        .id(Uuid::now_v7())
        .code(TEMPLATE)
        .params(vec![
            parameter("from", ParamDataType::Uuid)?,
            parameter("to", ParamDataType::Uuid)?,
            parameter("journal_id", ParamDataType::Uuid)?,
            parameter("amount", ParamDataType::Decimal)?,
        ])
        .transaction(transaction)
        .entries(vec![entry("'MOVE_DR'", "params.from", "DEBIT")?, entry("'MOVE_CR'", "params.to", "CREDIT")?])
        .build())
}
