//! One database of two kinds: SQL that both understand, values in, rows out.
//!
//! Reads and most writes are the same statement on SQLite and PostgreSQL (`$1` places, `on conflict`, casts), so they
//! are written once. What differs (bulk insertion, partitions, vacuum) is in `sqlite.rs` and `postgres.rs`.

use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use sqlx::postgres::{PgArguments, PgPool, PgRow};
use sqlx::sqlite::{SqliteArguments, SqlitePool, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Postgres, Row as _, Sqlite, Transaction};

/// A pool of connections. SQLite has one connection that writes and some that read.
#[derive(Clone)]
pub(crate) enum Db {
    Sqlite { write: SqlitePool, read: SqlitePool },
    Postgres(PgPool),
}

/// A parameter; `None` is SQL's null.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Int(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

macro_rules! value_from {
    ($($source:ty => $kind:ident, $convert:expr;)*) => {$(
        impl From<$source> for Value {
            fn from(value: $source) -> Self {
                #[allow(clippy::redundant_closure_call, reason = "one conversion a line")]
                Self::$kind($convert(value))
            }
        }
    )*};
}

value_from! {
    i64 => Int, Some;
    Option<i64> => Int, |v| v;
    u64 => Int, |v: u64| Some(i64::try_from(v).unwrap_or(i64::MAX));
    usize => Int, |v: usize| Some(i64::try_from(v).unwrap_or(i64::MAX));
    f64 => Real, Some;
    Option<f64> => Real, |v| v;
    String => Text, Some;
    &str => Text, |v: &str| Some(v.to_owned());
    &String => Text, |v: &String| Some(v.clone());
    Option<String> => Text, |v| v;
    Vec<u8> => Blob, Some;
    Option<Vec<u8>> => Blob, |v| v;
    &[u8] => Blob, |v: &[u8]| Some(v.to_vec());
}

/// `values![a, b]`: parameters of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::db::Value::from($value)),*] };
}
pub(crate) use values;

/// A row of either kind.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

type Result<T> = std::result::Result<T, sqlx::Error>;

macro_rules! column {
    ($name:ident, $kind:ty) => {
        pub(crate) fn $name(&self, column: usize) -> Result<$kind> {
            match self {
                Self::Sqlite(row) => row.try_get(column),
                Self::Postgres(row) => row.try_get(column),
            }
        }
    };
}

impl Row {
    column!(int, i64);
    column!(maybe_int, Option<i64>);
    column!(real, f64);
    column!(maybe_real, Option<f64>);
    column!(text, String);
    column!(maybe_text, Option<String>);
    column!(blob, Vec<u8>);
    column!(maybe_blob, Option<Vec<u8>>);
}

macro_rules! arguments {
    ($values:expr, $kind:ty) => {{
        let mut arguments = <$kind>::default();
        for value in $values {
            match value {
                Value::Int(v) => arguments.add(v),
                Value::Real(v) => arguments.add(v),
                Value::Text(v) => arguments.add(v),
                Value::Blob(v) => arguments.add(v),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        arguments
    }};
}

fn for_sqlite(values: Vec<Value>) -> Result<SqliteArguments> {
    Ok(arguments!(values, SqliteArguments))
}

fn for_postgres(values: Vec<Value>) -> Result<PgArguments> {
    Ok(arguments!(values, PgArguments))
}

impl Db {
    /// All rows of a query.
    pub(crate) async fn rows(&self, sql: impl Into<String>, values: Vec<Value>) -> Result<Vec<Row>> {
        let sql = AssertSqlSafe(sql.into());
        Ok(match self {
            Self::Sqlite { read, .. } => {
                let rows = sqlx::query_with(sql, for_sqlite(values)?).fetch_all(read).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(pool) => {
                let rows = sqlx::query_with(sql, for_postgres(values)?).fetch_all(pool).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The rows of a query, as they are asked for.
    pub(crate) fn stream(&self, sql: impl Into<String>, values: Vec<Value>) -> Result<RowStream<'_>> {
        let sql = AssertSqlSafe(sql.into());
        Ok(RowStream(match self {
            Self::Sqlite { read, .. } => {
                sqlx::query_with(sql, for_sqlite(values)?).fetch(read).map_ok(Row::Sqlite).boxed()
            }
            Self::Postgres(pool) => {
                sqlx::query_with(sql, for_postgres(values)?).fetch(pool).map_ok(Row::Postgres).boxed()
            }
        }))
    }

    /// The first row of a query, if it has one.
    pub(crate) async fn row(&self, sql: impl Into<String>, values: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Runs one statement by itself; the number of rows that it changed.
    pub(crate) async fn run(&self, sql: impl Into<String>, values: Vec<Value>) -> Result<u64> {
        let sql = AssertSqlSafe(sql.into());
        Ok(match self {
            Self::Sqlite { write, .. } => {
                sqlx::query_with(sql, for_sqlite(values)?).execute(write).await?.rows_affected()
            }
            Self::Postgres(pool) => {
                sqlx::query_with(sql, for_postgres(values)?).execute(pool).await?.rows_affected()
            }
        })
    }

    /// Begins a transaction that writes. On SQLite there is one at a time.
    pub(crate) async fn begin(&self) -> Result<Tx> {
        Ok(match self {
            Self::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("begin immediate").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Closes all connections; what was begun is finished first.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite { .. })
    }
}

/// Rows that come as they are asked for; a connection is taken until the end.
pub(crate) struct RowStream<'a>(BoxStream<'a, Result<Row>>);

impl RowStream<'_> {
    /// At most `count` more; none at the end.
    pub(crate) async fn next_some(&mut self, count: usize) -> Result<Vec<Row>> {
        self.0.by_ref().take(count).try_collect().await
    }
}

/// A transaction; rolled back if dropped.
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    pub(crate) async fn rows(&mut self, sql: impl Into<String>, values: Vec<Value>) -> Result<Vec<Row>> {
        let sql = AssertSqlSafe(sql.into());
        Ok(match self {
            Self::Sqlite(tx) => {
                let rows = sqlx::query_with(sql, for_sqlite(values)?).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(tx) => {
                let rows = sqlx::query_with(sql, for_postgres(values)?).fetch_all(&mut **tx).await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    pub(crate) async fn row(&mut self, sql: impl Into<String>, values: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    pub(crate) async fn run(&mut self, sql: impl Into<String>, values: Vec<Value>) -> Result<u64> {
        let sql = AssertSqlSafe(sql.into());
        Ok(match self {
            Self::Sqlite(tx) => {
                sqlx::query_with(sql, for_sqlite(values)?).execute(&mut **tx).await?.rows_affected()
            }
            Self::Postgres(tx) => {
                sqlx::query_with(sql, for_postgres(values)?).execute(&mut **tx).await?.rows_affected()
            }
        })
    }

    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }

    /// ` for update` where rows are locked one by one: on SQLite the transaction has them all.
    pub(crate) fn for_update(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " for update",
        }
    }
}
