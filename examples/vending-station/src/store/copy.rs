//! All rows of a store, as they are: copied into another store, or compared with it.

use super::StoreError;
use futures_util::TryStreamExt;
use sqlx::{
    Any, Column, Row, SqlSafeStr, SqlStr, Transaction,
    any::{AnyRow, AnyTypeInfoKind},
};

/// Every table and its key, those first that others refer to.
pub(super) const TABLES: [(&str, &str); 20] = [
    ("site", "id"),
    ("building", "code"),
    ("collector", "code"),
    ("gateway", "code"),
    ("bus", "code"),
    ("tariff", "code"),
    ("tenant", "id"),
    ("meter", "number"),
    ("event", "id"),
    ("journal", "seq"),
    ("account", "id"),
    ("unproved", "account"),
    ("sale", "id"),
    ("outbox", "sale"),
    ("idempotency", "key"),
    ("latest", "meter"),
    ("silent", "meter"),
    ("curve", "day, meter, utc_s"),
    ("batch", "id"),
    ("batch_meter", "batch, meter"),
];
/// A table without a key of its own.
pub(super) const FINDING: (&str, &str) = ("finding", "event");

/// A value of a column: the tables hold nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Int(Option<i64>),
    Text(Option<String>),
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(Some(value)) => value.fmt(f),
            Self::Text(Some(value)) => value.fmt(f),
            Self::Int(None) | Self::Text(None) => f.write_str("nothing"),
        }
    }
}

/// The values of a row, in the order of its columns.
pub(super) fn cells(row: &AnyRow) -> Result<Vec<Cell>, StoreError> {
    let cell = |index: usize| {
        Ok(match row.column(index).type_info().kind() {
            AnyTypeInfoKind::Text => Cell::Text(row.try_get(index)?),
            _ => Cell::Int(row.try_get(index)?),
        })
    };
    (0..row.len()).map(cell).collect()
}

/// All rows of a table in the order of its key. Names come from the constants above alone.
pub(super) fn select(columns: &str, (table, key): (&str, &str)) -> SqlStr {
    sqlx::AssertSqlSafe(format!("SELECT {columns} FROM {table} ORDER BY {key}")).into_sql_str()
}

/// Copies every row and returns how many there were.
pub(super) async fn all(from: &mut Transaction<'_, Any>, to: &mut Transaction<'_, Any>) -> Result<u64, StoreError> {
    let mut rows = 0;
    for table in TABLES.into_iter().chain([FINDING]) {
        let mut source = sqlx::query(select("*", table)).fetch(&mut **from);
        while let Some(row) = source.try_next().await? {
            insert(to, table.0, &row).await?;
            rows += 1;
        }
    }
    Ok(rows)
}

async fn insert(to: &mut Transaction<'_, Any>, table: &str, row: &AnyRow) -> Result<(), StoreError> {
    let names: Vec<&str> = row.columns().iter().map(Column::name).collect();
    let places: Vec<String> = (1..=names.len()).map(|place| format!("${place}")).collect();
    let sql = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), places.join(", "));
    let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
    for cell in cells(row)? {
        query = match cell {
            Cell::Int(value) => query.bind(value),
            Cell::Text(value) => query.bind(value),
        };
    }
    query.execute(&mut **to).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FINDING, TABLES};
    use crate::store::Store;
    use sqlx::Row;

    #[tokio::test]
    async fn no_table_is_forgotten() {
        let store = Store::scratch().await.expect("opened");
        let names =
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '!_%' ESCAPE '!' ORDER BY name";
        let rows = sqlx::query(names).fetch_all(store.readers()).await.expect("read");
        let mut there: Vec<String> = rows.iter().map(|row| row.try_get("name").expect("a name")).collect();
        // The right to write belongs to a place, not to the books.
        there.retain(|name| name != "lease");
        let mut copied: Vec<&str> = TABLES.iter().chain([&FINDING]).map(|(table, _)| *table).collect();
        copied.sort_unstable();
        assert_eq!(copied, there);
    }
}
