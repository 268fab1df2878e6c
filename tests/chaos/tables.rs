//! What is copied: tables in both databases, and tasks between them.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::Site;

const ENGINES: [&str; 2] = ["mysql", "postgres"];
/// Small source tables in each database; tasks share them.
const SMALL: usize = 10;
/// Rows of a source without a key.
const BARE_ROWS: u64 = 700;
/// Tasks that take so long that there is always something in its middle.
const LARGE: usize = 3;

/// A task and what it must do.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its number.
    pub id: i64,
    /// The source's engine and table.
    pub from: (&'static str, String),
    /// Rows there.
    pub rows: u64,
    /// The target's engine and table.
    pub to: (&'static str, String),
    /// Without a key in the target each run adds the source's rows once.
    pub keyed: bool,
    /// Whether it takes long.
    pub large: bool,
}

struct Source {
    engine: &'static str,
    table: String,
    rows: u64,
}

/// Creates the sources and the targets that goshift must find, and enters the tasks.
pub async fn prepare(site: &Site, seed: u64, count: usize) -> Vec<Task> {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x7ab1e5);
    let (small, bare, large) = sources(site, &mut rng).await;
    let mut tasks = Vec::with_capacity(count);
    for number in 0..count {
        let is_large = number + LARGE >= count;
        // Each of the four pairs comes as often as the others.
        let (from, to) = (ENGINES[number % 2], ENGINES[number / 2 % 2]);
        let of_engine = |sources: &[Source]| {
            sources.iter().position(|source| source.engine == from).unwrap_or_default()
        };
        let (source, keyed) = match number {
            _ if is_large => (&large[of_engine(&large)], true),
            _ if number % 20 == 7 => (&bare[of_engine(&bare)], false),
            _ => {
                let first = of_engine(&small);
                (&small[first + rng.random_range(0..SMALL)], number % 6 != 5)
            }
        };
        let id = number as i64 + 1;
        let task = Task {
            id,
            from: (from, source.table.clone()),
            rows: source.rows,
            to: (to, format!("target_{id}")),
            keyed,
            large: is_large,
        };
        if !keyed {
            site.execute(to, &format!("CREATE TABLE target_{id} ({})", columns(to, false))).await;
        }
        let params = params(&task, &mut rng);
        site.task(id, (from, &task.from.1), (to, &task.to.1), &params).await;
        tasks.push(task);
    }
    tasks
}

async fn sources(site: &Site, rng: &mut StdRng) -> (Vec<Source>, Vec<Source>, Vec<Source>) {
    let (mut small, mut bare, mut large) = (Vec::new(), Vec::new(), Vec::new());
    for engine in ENGINES {
        for number in 0..SMALL {
            // Few rows more often than many.
            let share: f64 = rng.random_range(0.0..1.0);
            let rows = 10 + (share * share * 2990.0) as u64;
            small.push(create(site, engine, &format!("small_{number}"), rows, true).await);
        }
        bare.push(create(site, engine, "bare", BARE_ROWS, false).await);
        let rows = rng.random_range(60_000..70_000);
        large.push(create(site, engine, "large", rows, true).await);
    }
    (small, bare, large)
}

async fn create(site: &Site, engine: &'static str, name: &str, rows: u64, keyed: bool) -> Source {
    let table = format!("{name}_{engine}");
    site.execute(engine, &format!("CREATE TABLE {table} ({})", columns(engine, keyed))).await;
    let fill = match engine {
        "mysql" => format!(
            "INSERT INTO {table} SELECT seq, CONCAT('row ', seq, ' ä 公司 😀'), \
             seq * 7 % 99991 / 100, '2024-01-01' + INTERVAL seq * 7919 MICROSECOND, \
             IF(seq % 5 = 0, NULL, REPEAT('it''s \"a\" note, 100% ', seq % 9)) \
             FROM seq_1_to_{rows}"
        ),
        _ => format!(
            "INSERT INTO {table} SELECT seq, concat('row ', seq, ' ä 公司 😀'), \
             (seq * 7 % 99991)::numeric / 100, \
             timestamp '2024-01-01' + seq * interval '7919 microseconds', \
             CASE WHEN seq % 5 = 0 THEN NULL \
             ELSE repeat('it''s \"a\" note, 100% ', (seq % 9)::int) END \
             FROM generate_series(1::bigint, {rows}) AS seq"
        ),
    };
    site.execute(engine, &fill).await;
    Source { engine, table, rows }
}

fn columns(engine: &str, keyed: bool) -> String {
    let key = if keyed { "PRIMARY KEY" } else { "NOT NULL" };
    let time = if engine == "mysql" { "datetime(6)" } else { "timestamp(6)" };
    format!(
        "id bigint {key}, name varchar(80) NOT NULL, amount decimal(12,2), seen {time}, note text"
    )
}

fn params(task: &Task, rng: &mut StdRng) -> String {
    match task {
        Task { large: true, .. } => r#"{"read_batch": 500, "worker_num": 4}"#.to_owned(),
        Task { keyed: false, .. } => {
            r#"{"read_batch": 200, "worker_num": 2, "write_mode": "insert"}"#.to_owned()
        }
        _ => format!(r#"{{"read_batch": {}}}"#, rng.random_range(50..2000)),
    }
}

/// What a table holds: rows, and two sums over a hash of every column of every row, by the
/// server's own functions. The order of rows does not matter; one that is missing, doubled or
/// different does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content([u128; 3]);

impl Content {
    /// Reads it; why not, if it can't be read.
    pub async fn of(site: &Site, (engine, table): (&str, &str)) -> Result<Self, String> {
        let sql = match engine {
            "mysql" => format!(
                "SELECT COUNT(*), COALESCE(SUM(CAST(CONV(SUBSTR(h, 1, 8), 16, 10) AS UNSIGNED)), 0), \
                 COALESCE(SUM(CAST(CONV(SUBSTR(h, 9, 8), 16, 10) AS UNSIGNED)), 0) \
                 FROM (SELECT MD5(CONCAT_WS('|', id, name, COALESCE(amount, '~'), \
                 COALESCE(DATE_FORMAT(seen, '%Y-%m-%d %H:%i:%s.%f'), '~'), COALESCE(note, '~'))) AS h \
                 FROM {table}) hashed"
            ),
            _ => format!(
                "SELECT count(*)::text, \
                 coalesce(sum(('x' || substr(h, 1, 8))::bit(32)::bigint), 0)::text, \
                 coalesce(sum(('x' || substr(h, 9, 8))::bit(32)::bigint), 0)::text \
                 FROM (SELECT md5(concat_ws('|', id, name, coalesce(amount::text, '~'), \
                 coalesce(to_char(seen, 'YYYY-MM-DD HH24:MI:SS.US'), '~'), coalesce(note, '~'))) AS h \
                 FROM {table}) hashed"
            ),
        };
        let rows = site.try_rows(engine, &sql).await.map_err(|error| error.to_string())?;
        let figures: Vec<u128> = rows.iter().flatten().filter_map(|c| c.parse().ok()).collect();
        figures.try_into().map(Self).map_err(|_| format!("an odd answer: {rows:?}"))
    }

    /// The same rows so many times.
    pub fn times(self, times: u64) -> Self {
        Self(self.0.map(|figure| figure * u128::from(times)))
    }

    /// Rows.
    pub fn rows(self) -> u128 {
        self.0[0]
    }
}
