//! Items in a database: an SQLite file beside the app, or PostgreSQL, which several copies share. The
//! statements are the same but for a few words.

use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rocket::async_trait;
use rocket::serde::json::serde_json;
use secrecy::{ExposeSecret, SecretString};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Connection, Executor, Row, SqlSafeStr, Transaction};
use tokio::sync::oneshot;

use super::{Board, BoardQuery, COUNT_MAX, Deleted, Error, FEW_DONE, Place, Result, Section, Store, Which};
use crate::item::{Changes, DeletionId, Description, Item, ItemId, NewItem, Position, Status, Title, Version};
use crate::lock;

/// The distance between two items' positions, so that many fit in between.
const GAP: f64 = 65_536.0;

/// How long a deleted item can be brought back.
const KEEP_DELETED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long a request waits for a connection, or for its turn at the file.
const WAIT: Duration = Duration::from_secs(5);

/// How long an act may take in all: a database that has gone silent is one that does not answer.
const SILENCE: Duration = Duration::from_secs(10);

/// The columns that [`item`] reads.
const ITEM: &str = "id, title, description, due, status, position, created_at, changed_at, done_at";

/// A store in a database. Copies of the app can share it: an SQLite file those on one machine.
#[derive(Debug)]
pub struct Sql {
    dialect: Dialect,
    /// SQLite has one writer at a time: waiting here is fair, waiting at the file's lock is not.
    writer: AnyPool,
    readers: AnyPool,
    adding: Arc<Adding>,
}

/// In what the databases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    fn of(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }

    /// The function that finds a text in another one.
    const fn find(self) -> &'static str {
        match self {
            Self::Sqlite => "instr",
            Self::Postgres => "strpos",
        }
    }

    /// The function that gives the greater of two numbers.
    const fn greater(self) -> &'static str {
        match self {
            Self::Sqlite => "max",
            Self::Postgres => "greatest",
        }
    }

    /// The functions that make a JSON array: of all rows, and of the columns of one.
    const fn json_arrays(self) -> (&'static str, &'static str) {
        match self {
            Self::Sqlite => ("json_group_array", "json_array"),
            Self::Postgres => ("json_agg", "json_build_array"),
        }
    }

    const fn tables(self) -> &'static str {
        match self {
            Self::Sqlite => include_str!("../../migrations/sqlite/0001_items.sql"),
            Self::Postgres => include_str!("../../migrations/postgres/0001_items.sql"),
        }
    }
}

impl Sql {
    /// Opens the database that `url` names: `sqlite:PATH`, whose file and folder are made if there are
    /// none, or `postgres://USER:PASSWORD@HOST/DATABASE`. Makes the tables or brings them up to date.
    ///
    /// # Errors
    /// A sentence on what is wrong with the address or the database; it shows no password.
    pub async fn open(url: &SecretString) -> std::result::Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        match Dialect::of(url.expose_secret()) {
            Some(Dialect::Sqlite) => Self::open_sqlite(url.expose_secret()).await,
            Some(Dialect::Postgres) => Self::open_postgres(url.expose_secret()).await,
            None => Err(OpenError::Scheme),
        }
    }

    async fn open_sqlite(url: &str) -> std::result::Result<Self, OpenError> {
        let options = SqliteConnectOptions::from_str(url).map_err(OpenError::Address)?;
        let file = options.get_filename().to_owned();
        if url.contains(":memory:") || url.contains("mode=memory") {
            return Err(OpenError::InMemory);
        }
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(|e| OpenError::Folder(folder.display().to_string(), e))?;
        }
        // Makes the file if there is none.
        let create = if url.contains("mode=") {
            ""
        } else if url.contains('?') {
            "&mode=rwc"
        } else {
            "?mode=rwc"
        };
        let options = AnyConnectOptions::from_str(&format!("{url}{create}")).map_err(OpenError::Address)?;
        // FULL: an answered write is on the disk, even if the machine loses power right after.
        // MEMORY: the production image has no folder for temporary files.
        let settings = format!(
            "pragma busy_timeout = {}; pragma journal_mode = wal; pragma synchronous = full; pragma temp_store = memory",
            WAIT.as_millis()
        );
        let pool = |connections| {
            let settings = settings.clone();
            // After an error of the disk SQLite has left the transaction by itself, but sqlx takes the connection
            // for one that is still in it, and would refuse to begin another.
            let pool = pool(connections).after_release(|connection, _| {
                Box::pin(async move {
                    if connection.is_in_transaction() {
                        // It may be about to leave it.
                        connection.ping().await?;
                    }
                    Ok(!connection.is_in_transaction())
                })
            });
            pool.test_before_acquire(false).after_connect(move |connection, _| {
                let settings = settings.clone();
                Box::pin(async move {
                    sqlx::raw_sql(AssertSqlSafe(settings)).execute(connection).await?;
                    Ok(())
                })
            })
        };
        let file_error = |e| OpenError::file(&file, e);
        let started = Instant::now();
        // A pool would try again whatever is wrong, and then say only that it took too long.
        while let Err(e) = try_settings(&options, &settings).await {
            // Another copy turns the new file's journal mode, for which SQLite does not wait.
            if !is_busy(&e) || started.elapsed() > WAIT {
                return Err(file_error(e));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let writer = pool(1).connect_with(options.clone()).await.map_err(file_error)?;
        let tables_error = |e| OpenError::Migration(file.display().to_string(), e);
        // The transaction begins as a writer, so that of several copies that start at once the second
        // waits and finds the work done.
        let mut transaction = writer.begin_with("begin immediate").await.map_err(|e| tables_error(e.into()))?;
        migrate(Dialect::Sqlite, &mut transaction).await.map_err(tables_error)?;
        transaction.commit().await.map_err(|e| tables_error(e.into()))?;
        let readers = pool(4).connect_with(options).await.map_err(file_error)?;
        Ok(Self { dialect: Dialect::Sqlite, writer, readers, adding: Arc::default() })
    }

    async fn open_postgres(url: &str) -> std::result::Result<Self, OpenError> {
        let server = PgConnectOptions::from_str(url).map_err(OpenError::Address)?;
        let server = format!("{}:{}", server.get_host(), server.get_port());
        let options = AnyConnectOptions::from_str(url).map_err(OpenError::Address)?;
        let pool = pool(10).connect_with(options).await.map_err(|e| OpenError::Server(server.clone(), e))?;
        // The migrator itself has copies that start at once wait for each other.
        let mut connection = pool.acquire().await.map_err(|e| OpenError::Server(server.clone(), e))?;
        migrate(Dialect::Postgres, &mut connection).await.map_err(|e| OpenError::Migration(server, e))?;
        Ok(Self { dialect: Dialect::Postgres, writer: pool.clone(), readers: pool, adding: Arc::default() })
    }

    /// Begins an act of several statements, during which nobody else writes.
    async fn begin(&self) -> Result<Transaction<'static, Any>> {
        Ok(match self.dialect {
            Dialect::Sqlite => self.writer.begin_with("begin immediate").await?,
            Dialect::Postgres => {
                let mut transaction = self.writer.begin().await?;
                sqlx::query("lock table items in share row exclusive mode").execute(&mut *transaction).await?;
                transaction
            }
        })
    }

    /// Adds an item together with all that wait for the file at the same time, so that they wait for the disk
    /// but once ("group commit"; PostgreSQL has its own).
    async fn add_with_others(&self, new: NewItem) -> Result<Item> {
        let (answer, mut added) = oneshot::channel();
        self.adding.waiting().push((new, answer));
        tokio::select! {
            biased;
            // Somebody else has taken it along.
            added = &mut added => return added.unwrap_or_else(|gone| Err(Error::Unavailable(gone.into()))),
            turn = Arc::clone(&self.adding.turn).lock_owned() => {
                let (adding, writer) = (Arc::clone(&self.adding), self.writer.clone());
                // A task of its own, which does not end with the request of whoever began it.
                tokio::spawn(async move {
                    let begun = writer.begin_with("begin immediate").await;
                    adding.add_all(begun).await;
                    drop(turn);
                });
            }
        }
        added.await.unwrap_or_else(|gone| Err(Error::Unavailable(gone.into())))
    }

    /// Why a statement changed nothing: the item is not there, or not what was seen.
    async fn why_unchanged(&self, id: &ItemId) -> Error {
        match self.item(id).await {
            Ok(_) => Error::Conflict,
            Err(error) => error,
        }
    }

    async fn item(&self, id: &ItemId) -> Result<Item> {
        let sql = format!("select {ITEM} from items where id = $1 and deletion is null");
        item(sqlx::query_as(AssertSqlSafe(sql)).bind(id.as_str()).fetch_one(&self.readers).await?)
    }
}

fn pool(connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new().max_connections(connections).acquire_timeout(WAIT)
}

/// Lets an act take no longer than [`SILENCE`].
async fn in_time<T>(act: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(SILENCE, act).await.unwrap_or_else(|late| Err(Error::Unavailable(late.into())))
}

/// Why the database cannot be opened; one line each.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither of the two.
    #[error("it begins with neither sqlite: nor postgres:")]
    Scheme,
    /// Not an address of its kind.
    #[error("it is not the address of a database ({0})")]
    Address(#[source] sqlx::Error),
    /// `sqlite::memory:`.
    #[error("items in memory would be lost; name a file")]
    InMemory,
    /// The file's folder cannot be made.
    #[error("the folder {0} cannot be made ({1})")]
    Folder(String, #[source] std::io::Error),
    /// The file cannot be read, or is something else.
    #[error("{0} cannot be opened as an SQLite file ({1})")]
    File(String, #[source] sqlx::Error),
    /// PostgreSQL cannot be reached, or refuses.
    #[error("PostgreSQL at {0} cannot be used ({1})")]
    Server(String, #[source] sqlx::Error),
    /// The tables cannot be brought up to date.
    #[error("the tables in {0} cannot be brought up to date ({1})")]
    Migration(String, #[source] MigrateError),
}

impl OpenError {
    fn file(file: &Path, error: sqlx::Error) -> Self {
        Self::File(file.display().to_string(), error)
    }
}

/// Brings the tables up to date and forgets what was deleted long ago.
async fn migrate(dialect: Dialect, connection: &mut AnyConnection) -> std::result::Result<(), MigrateError> {
    let migrator = Migrator::with_migrations(vec![Migration::new(
        1,
        "items".into(),
        MigrationType::Simple,
        dialect.tables().into_sql_str(),
        false,
    )]);
    migrator.run_direct(None, &mut *connection, false).await?;
    // Also tells a file that cannot be written before anybody relies on it.
    sqlx::query(FORGET).bind(forgotten()).execute(connection).await?;
    Ok(())
}

/// Opens an SQLite file once, as each connection of the pools will.
async fn try_settings(options: &AnyConnectOptions, settings: &str) -> std::result::Result<(), sqlx::Error> {
    let mut connection = AnyConnection::connect_with(options).await?;
    sqlx::raw_sql(AssertSqlSafe(settings.to_owned())).execute(&mut connection).await?;
    connection.close().await
}

fn is_busy(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: &str = "5";
    error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code == SQLITE_BUSY)
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::RowNotFound => Self::NotFound,
            other => Self::Unavailable(other.into()),
        }
    }
}

#[async_trait]
impl Store for Sql {
    async fn board(&self, query: &BoardQuery) -> Result<Board> {
        in_time(async move {
            let search = query.search.to_lowercase();
            let statuses = query.status.map_or(Status::ALL.to_vec(), |status| vec![status]);
            let row = sqlx::query(board_sql(self.dialect, query, &search, &statuses))
                .bind(&search)
                .bind(query.after.as_ref().map(ItemId::as_str))
                .fetch_one(&self.readers)
                .await?;
            let (todo, doing) = (number(&row, 0)?, number(&row, 1)?);
            let (done, older) = (number(&row, 2)?, number(&row, 3)?);
            let all_done = query.older || query.after.is_some() || done < FEW_DONE;
            let section = |(column, status)| {
                let items: Option<&str> = row.try_get(column)?;
                let items: Vec<Stored> = items.map_or(Ok(vec![]), serde_json::from_str).map_err(unreadable)?;
                let mut items = items.into_iter().map(item).collect::<Result<Vec<_>>>()?;
                if status == Status::Done && !all_done {
                    items.retain(|item| item.done >= Some(query.today));
                }
                let more = items.len() > query.limit;
                items.truncate(query.limit);
                Ok(Section { status, items, more })
            };
            let sections = (4..).zip(statuses).map(section).collect::<Result<_>>()?;
            Ok(Board { sections, counts: [todo, doing, done], older, stale: None })
        })
        .await
    }

    async fn list(&self, after: Option<&ItemId>, limit: u32) -> Result<Vec<Item>> {
        in_time(async move {
            let Some(after) = after else {
                let sql = format!("select {ITEM} from items where deletion is null order by position, id limit $1");
                let rows = sqlx::query_as(AssertSqlSafe(sql)).bind(i64::from(limit)).fetch_all(&self.readers).await?;
                return rows.into_iter().map(item).collect();
            };
            // A deleted item still marks its place.
            let position = "select position from items where id = $1";
            let position: f64 = sqlx::query_scalar(position).bind(after.as_str()).fetch_one(&self.readers).await?;
            let sql = format!(
                "select {ITEM} from items where deletion is null and (position, id) > ($1, $2)
                 order by position, id limit $3"
            );
            let rows = sqlx::query_as(AssertSqlSafe(sql))
                .bind(position)
                .bind(after.as_str())
                .bind(i64::from(limit))
                .fetch_all(&self.readers)
                .await?;
            rows.into_iter().map(item).collect()
        })
        .await
    }

    async fn get(&self, id: &ItemId) -> Result<Item> {
        in_time(async move { self.item(id).await }).await
    }

    async fn add(&self, new: NewItem) -> Result<Item> {
        in_time(async move {
            match self.dialect {
                Dialect::Sqlite => self.add_with_others(new).await,
                Dialect::Postgres => insert(&self.writer, &new).await,
            }
        })
        .await
    }

    async fn update(&self, id: &ItemId, changes: Changes, seen: Option<Version>) -> Result<Item> {
        in_time(async move {
            let greater = self.dialect.greater();
            let sql = format!(
                "update items set
                   title = coalesce($2, title), title_lower = coalesce($3, title_lower),
                   description = coalesce($4, description), description_lower = coalesce($5, description_lower),
                   due = case when $6 then $7 else due end,
                   position = case when $9 and status <> $8 then {TOP} else coalesce($10, position) end,
                   done_at = case when $8 is null or $8 = status then done_at when $8 = 'done' then $11 end,
                   status = coalesce($8, status),
                   changed_at = {greater}($11, changed_at + 1)
                 where id = $1 and deletion is null and ($12 is null or changed_at = $12)
                 returning {ITEM}"
            );
            let (title, description) = (changes.title.as_ref(), changes.description.as_ref());
            let rows = sqlx::query_as(AssertSqlSafe(sql))
                .bind(id.as_str())
                .bind(title.map(Title::as_str))
                .bind(title.map(|title| title.as_str().to_lowercase()))
                .bind(description.map(Description::as_str))
                .bind(description.map(|description| description.as_str().to_lowercase()))
                .bind(changes.due.is_some())
                .bind(changes.due.flatten().map(|due| due.to_string()))
                .bind(changes.status.map(Status::as_str))
                .bind(changes.position == Some(Position::TopOfNewSection))
                .bind(match changes.position {
                    Some(Position::At(position)) => Some(position),
                    _ => None,
                })
                .bind(Timestamp::now().as_microsecond())
                .bind(seen.map(|version| version.0))
                .fetch_all(&self.writer)
                .await?;
            match returned(rows)? {
                Some(item) => Ok(item),
                None => Err(self.why_unchanged(id).await),
            }
        })
        .await
    }

    async fn place(&self, id: &ItemId, place: &Place) -> Result<()> {
        in_time(async move {
            let mut transaction = self.begin().await?;
            let mut position = between(&mut transaction, id, place).await?;
            if position.is_none() {
                // No number is left between the two: give all of them new ones.
                sqlx::query(AssertSqlSafe(format!(
                    "update items set position = place.number * {GAP} from
                       (select id, row_number() over (order by position, id) as number from items
                        where deletion is null) as place
                     where items.id = place.id"
                )))
                .execute(&mut *transaction)
                .await?;
                position = between(&mut transaction, id, place).await?;
            }
            let greater = self.dialect.greater();
            let sql = format!(
                "update items set position = coalesce($2, position), changed_at = {greater}($3, changed_at + 1)
                 where id = $1 and deletion is null"
            );
            let done = sqlx::query(AssertSqlSafe(sql))
                .bind(id.as_str())
                .bind(position)
                .bind(Timestamp::now().as_microsecond())
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            (done.rows_affected() == 1).then_some(()).ok_or(Error::NotFound)
        })
        .await
    }

    async fn delete(&self, which: Which<'_>) -> Result<DeletionId> {
        in_time(async move {
            let deletion = DeletionId::generate();
            let (id, status) = match which {
                Which::One(id) => (Some(id.as_str()), None),
                Which::Done => (None, Some(Status::Done.as_str())),
                Which::All => (None, None),
            };
            let sql = "update items set deletion = $1
                       where deletion is null and ($2 is null or id = $2) and ($3 is null or status = $3)";
            let mut transaction = self.begin().await?;
            let done =
                sqlx::query(sql).bind(deletion.as_str()).bind(id).bind(status).execute(&mut *transaction).await?;
            if id.is_some() && done.rows_affected() == 0 {
                return Err(Error::NotFound);
            }
            sqlx::query(FORGET).bind(forgotten()).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(deletion)
        })
        .await
    }

    async fn deleted(&self, deletion: &DeletionId) -> Result<Deleted> {
        in_time(async move {
            let sql = "select count(*), min(title) from items where deletion = $1";
            let row = sqlx::query(sql).bind(deletion.as_str()).fetch_one(&self.readers).await?;
            Ok(Deleted { count: number(&row, 0)?, title: row.try_get(1)? })
        })
        .await
    }

    async fn restore(&self, deletion: &DeletionId) -> Result<()> {
        in_time(async move {
            let sql = "update items set deletion = null where deletion = $1";
            sqlx::query(sql).bind(deletion.as_str()).execute(&self.writer).await?;
            Ok(())
        })
        .await
    }

    async fn ready(&self) -> Result<()> {
        in_time(async move {
            sqlx::query("select 1 from items limit 1").fetch_optional(&self.readers).await?;
            Ok(())
        })
        .await
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// What is to be added to an SQLite file as soon as it is somebody's turn.
#[derive(Debug, Default)]
struct Adding {
    turn: Arc<tokio::sync::Mutex<()>>,
    waiting: Mutex<Vec<Waiting>>,
}

/// An item to be added, and where to say what became of it.
type Waiting = (NewItem, oneshot::Sender<Result<Item>>);

impl Adding {
    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        lock(&self.waiting)
    }

    /// Adds all that wait in one transaction, and answers each.
    async fn add_all(&self, begun: sqlx::Result<Transaction<'static, Any>>) {
        let mut all = std::mem::take(&mut *self.waiting());
        // Who has given up meanwhile was told that the item was not saved.
        all.retain(|(_, answer)| !answer.is_closed());
        let added = async {
            let mut transaction = begun?;
            let mut added = Vec::with_capacity(all.len());
            for (new, _) in &all {
                added.push(insert(&mut *transaction, new).await?);
            }
            transaction.commit().await?;
            Ok::<_, Error>(added)
        };
        // Who does not wait any more needs no answer.
        match added.await {
            Ok(added) => all.into_iter().zip(added).for_each(|((_, answer), item)| drop(answer.send(Ok(item)))),
            Err(error) => {
                let cause: Arc<dyn std::error::Error + Send + Sync> = match error {
                    Error::Unavailable(cause) => cause.into(),
                    other => Arc::new(other),
                };
                all.into_iter()
                    .for_each(|(_, answer)| drop(answer.send(Err(Error::Unavailable(cause.clone().into())))));
            }
        }
    }
}

async fn insert(database: impl Executor<'_, Database = Any>, new: &NewItem) -> Result<Item> {
    let sql = format!(
        "insert into items (id, title, title_lower, description, description_lower, due, status,
                            position, created_at, changed_at, done_at)
         values ($1, $2, $3, $4, $5, $6, $7, coalesce($8, {TOP}), $9, $9,
                 case when $7 = 'done' then $9 end)
         returning {ITEM}"
    );
    let rows = sqlx::query_as(AssertSqlSafe(sql))
        .bind(ItemId::generate().to_string())
        .bind(new.title.as_str())
        .bind(new.title.as_str().to_lowercase())
        .bind(new.description.as_str())
        .bind(new.description.as_str().to_lowercase())
        .bind(new.due.map(|due| due.to_string()))
        .bind(new.status.as_str())
        .bind(new.position)
        .bind(Timestamp::now().as_microsecond())
        .fetch_all(database)
        .await?;
    returned(rows)?.ok_or(Error::NotFound)
}

/// Forgets what was deleted before the time of the id $1.
const FORGET: &str = "delete from items where deletion < $1";

/// The position before all others.
const TOP: &str = "(select coalesce(min(position), 0) - 65536 from items where deletion is null)";

/// What is on the list and, if there is a search, has its text ($1, lower case). Without one an
/// index alone answers how many there are.
fn found(dialect: Dialect, search: &str) -> String {
    if search.is_empty() {
        return "deletion is null".to_owned();
    }
    let find = dialect.find();
    format!("deletion is null and ({find}(title_lower, $1) > 0 or {find}(description_lower, $1) > 0)")
}

/// One row for a page: how many items [`found`] there are of each status, and of those done before today,
/// each up to [`COUNT_MAX`]; then for each section its first items, and one more than asked for, as JSON of
/// [`Stored`]. A row and a column more each cost more than the JSON does.
///
/// Numbers are written into it, since for a parameter that a plan may depend on SQLite plans anew each time.
fn board_sql(dialect: Dialect, query: &BoardQuery, search: &str, statuses: &[Status]) -> AssertSqlSafe<String> {
    let found = found(dialect, search);
    let count = |which: &str| {
        format!("(select count(*) from (select 1 from items where {found} and {which} limit {COUNT_MAX}) as counted)")
    };
    let older = format!("status = 'done' and done_at < {}", query.today.as_microsecond());
    let counts = ["status = 'todo'", "status = 'doing'", "status = 'done'", &older].map(count);
    let section = |status: &Status| {
        let (key, order, compare) = match status {
            Status::Done => ("done_at, id", "done_at desc, id desc", "<"),
            _ => ("position, id", "position, id", ">"),
        };
        let after = match query.after {
            Some(_) => format!("and ({key}) {compare} (select {key} from items where id = $2)"),
            None => String::new(),
        };
        let (all, one) = dialect.json_arrays();
        format!(
            "(select cast({all}({one}({ITEM}) order by {order}) as text)
              from (select * from items where {found} and status = '{status}' {after}
                    order by {order} limit {}) as section)",
            query.limit.saturating_add(1)
        )
    };
    let columns: Vec<_> = counts.into_iter().chain(statuses.iter().map(section)).collect();
    AssertSqlSafe(format!("select {}", columns.join(", ")))
}

/// The number between a place and its neighbour; none if there is no number left.
async fn between(transaction: &mut AnyConnection, id: &ItemId, place: &Place) -> Result<Option<f64>> {
    let (beside, compare, order, outwards) = match place {
        Place::Before(beside) => (beside, "<", "desc", -GAP),
        Place::After(beside) => (beside, ">", "asc", GAP),
    };
    let position = "select position from items where id = $1 and deletion is null";
    let beside_at: f64 = sqlx::query_scalar(position).bind(beside.as_str()).fetch_one(&mut *transaction).await?;
    let neighbour = format!(
        "select position from items where deletion is null and id <> $3 and (position, id) {compare} ($1, $2)
         order by position {order}, id {order} limit 1"
    );
    let neighbour_at: Option<f64> = sqlx::query_scalar(AssertSqlSafe(neighbour))
        .bind(beside_at)
        .bind(beside.as_str())
        .bind(id.as_str())
        .fetch_optional(&mut *transaction)
        .await?;
    let neighbour_at = neighbour_at.unwrap_or(beside_at + outwards);
    let middle = beside_at + (neighbour_at - beside_at) / 2.0;
    Ok((middle.is_finite() && middle != beside_at && middle != neighbour_at).then_some(middle))
}

/// The id that an act of deleting made [`KEEP_DELETED`] ago would have.
fn forgotten() -> String {
    let then = Timestamp::now().as_duration().saturating_sub(KEEP_DELETED.try_into().unwrap_or_default());
    let then = uuid::Timestamp::from_unix_time(then.as_secs().unsigned_abs(), 0, 0, 0);
    uuid::Uuid::new_v7(then).to_string()
}

/// A count that a row has.
fn number(row: &AnyRow, column: usize) -> Result<u32> {
    let count: i64 = row.try_get(column)?;
    u32::try_from(count).map_err(unreadable)
}

/// The item that a write returned, if it wrote one. Takes all its rows, which `fetch_all` gives:
/// SQLite commits after the last one, so `fetch_one` would answer before that and whatever became of it.
fn returned(rows: Vec<Stored>) -> Result<Option<Item>> {
    rows.into_iter().next().map(item).transpose()
}

/// The columns of [`ITEM`].
type Stored = (String, String, String, Option<String>, String, f64, i64, i64, Option<i64>);

fn item((id, title, description, due, status, position, created, changed, done): Stored) -> Result<Item> {
    let time = |micros| Timestamp::from_microsecond(micros).map_err(unreadable);
    Ok(Item {
        id: ItemId::stored(id),
        title: Title::stored(title),
        description: Description::stored(description),
        due: due.map(|due| due.parse().map_err(unreadable)).transpose()?,
        status: status.parse().map_err(unreadable)?,
        position,
        created: time(created)?,
        changed: time(changed)?,
        done: done.map(time).transpose()?,
    })
}

/// What is stored is nothing that this app has written.
fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Unavailable(error.into())
}
