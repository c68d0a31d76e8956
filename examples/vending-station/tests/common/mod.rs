//! A store of its own for each test: a SQLite file, or a database on the server that `TEST_POSTGRES` names.
#![expect(unreachable_pub, reason = "a module of tests")]

use sqlx::{Connection, PgConnection};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;
use vending_station::store::Place;

/// Goes with its store when it is dropped.
pub struct Scratch {
    _folder: TempDir,
    pub place: Place,
}

impl Scratch {
    pub async fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::tempdir().expect("a folder");
        let place = match std::env::var("TEST_POSTGRES") {
            Err(_) => Place::File(folder.path().join("s.sqlite")),
            Ok(server) => {
                let name = format!("t{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
                let mut admin = PgConnection::connect(&server).await.expect("the server of the tests");
                let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
                sqlx::raw_sql(create).execute(&mut admin).await.expect("created");
                let mut url = url::Url::parse(&server).expect("an address");
                url.set_path(&name);
                Place::Postgres(url)
            }
        };
        Self { _folder: folder, place }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.place, Place::Postgres(_))
    }
}
