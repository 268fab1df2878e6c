//! Random values, as each engine writes and prints them.

use rand::RngExt;
use rand::rngs::StdRng;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Small,
    Int,
    Big,
    Decimal,
    Double,
    Text,
    Bytes,
    Date,
    DateTime,
    Uuid,
}

impl Kind {
    pub const ALL: [Self; 10] = [
        Self::Small,
        Self::Int,
        Self::Big,
        Self::Decimal,
        Self::Double,
        Self::Text,
        Self::Bytes,
        Self::Date,
        Self::DateTime,
        Self::Uuid,
    ];
    /// Those that make keys.
    pub const KEYS: [Self; 6] =
        [Self::Int, Self::Big, Self::Decimal, Self::Text, Self::DateTime, Self::Uuid];

    /// In MySQL, PostgreSQL and SQLite.
    pub fn types(self) -> [&'static str; 3] {
        match self {
            Self::Small => ["smallint", "smallint", "INT2"],
            Self::Int => ["int", "integer", "INT4"],
            Self::Big => ["bigint", "bigint", "BIGINT"],
            Self::Decimal => ["decimal(24,6)", "numeric(24,6)", "DECIMAL_TEXT(24,6)"],
            Self::Double => ["double", "double precision", "DOUBLE"],
            // Keys that differ only by case or trailing spaces are different here.
            Self::Text => ["varchar(60) COLLATE utf8mb4_nopad_bin", "varchar(60)", "VARCHAR(60)"],
            Self::Bytes => ["varbinary(60)", "bytea", "BLOB"],
            Self::Date => ["date", "date", "DATE"],
            Self::DateTime => ["datetime(6)", "timestamp(6)", "DATETIME"],
            // Of random bits MariaDB's own type refuses some.
            Self::Uuid => ["char(36)", "uuid", "UUID"],
        }
    }
}

/// A value that only `n` has.
pub fn key(kind: Kind, n: usize) -> Vec<u8> {
    // Neither in order nor close together.
    let spread = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let text = match kind {
        // Below 2^31 a product with an odd number stays one to one.
        Kind::Int => i64::from((n as u32).wrapping_mul(2_654_435_769) as i32).to_string(),
        Kind::Decimal => {
            format!("{}{n}.{:06}", if n.is_multiple_of(2) { "" } else { "-" }, spread % 1_000_000)
        }
        Kind::Text => format!("{}{n} ", ["a", "B", "é", "_", "Z'", "中", "😀\\"][n % 7]),
        Kind::DateTime => moment((n * 37_123) as u64 * 1_000_003),
        Kind::Uuid => uuid(u128::from(spread) << 64 | n as u128),
        _ => (spread as i64).to_string(),
    };
    text.into_bytes()
}

/// Any value.
pub fn any(kind: Kind, rng: &mut StdRng) -> Vec<u8> {
    let text = match kind {
        Kind::Small => rng.random::<i16>().to_string(),
        Kind::Int => rng.random::<i32>().to_string(),
        Kind::Big => match rng.random_range(0..8) {
            0 => i64::MIN.to_string(),
            1 => i64::MAX.to_string(),
            _ => rng.random::<i64>().to_string(),
        },
        Kind::Decimal => {
            let whole = rng.random_range(-999_999_999_999_999_999_i64..=999_999_999_999_999_999);
            format!("{whole}.{:06}", rng.random_range(0..1_000_000))
        }
        Kind::Double => loop {
            let real = f64::from_bits(rng.random());
            // SQLite's own reading of a literal is not exact outside of this.
            if real.is_finite() && (1e-300..1e300).contains(&real.abs()) {
                break format!("{real:e}");
            }
        },
        Kind::Text => words(rng),
        Kind::Bytes => {
            let length = rng.random_range(0..60);
            return (0..length).map(|_| rng.random()).collect();
        }
        Kind::Date => moment(rng.random_range(0..250_000_000_000_000_000))[..10].to_owned(),
        Kind::DateTime => moment(rng.random_range(0..250_000_000_000_000_000)),
        Kind::Uuid => uuid(rng.random()),
    };
    text.into_bytes()
}

fn words(rng: &mut StdRng) -> String {
    const HARD: [char; 16] = [
        '\'', '"', '\\', '\t', '\n', '\r', '%', '_', ' ', ',', 'é', '中', '😀', '\u{1a}', '`',
        '\u{301}',
    ];
    let length = rng.random_range(0..40);
    let any = |_| match rng.random_bool(0.3) {
        true => HARD[rng.random_range(0..HARD.len())],
        false => char::from(rng.random_range(b'!'..b'~')),
    };
    (0..length).map(any).collect()
}

/// So many microseconds after the year 1000 began, a day of 28 to a month.
fn moment(micros: u64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (months, day) = (days / 28, days % 28 + 1);
    let (year, month) = (1000 + months / 12, months % 12 + 1);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{fraction:06}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

fn uuid(number: u128) -> String {
    let hex = format!("{number:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// As SQL of the engine.
pub fn literal(kind: Kind, engine: &str, value: &[u8]) -> String {
    let hex = || value.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let text = || String::from_utf8(value.to_vec()).unwrap();
    match (kind, engine) {
        (Kind::Bytes, "postgres") => format!("'\\x{}'", hex()),
        (Kind::Bytes, _) => format!("x'{}'", hex()),
        (Kind::Small | Kind::Int | Kind::Big | Kind::Double, _) => text(),
        (_, "mysql") => format!("'{}'", text().replace('\\', "\\\\").replace('\'', "''")),
        _ => format!("'{}'", text().replace('\'', "''")),
    }
}

/// How a column is printed.
pub fn expression(kind: Kind, engine: &str, name: &str) -> String {
    match (kind, engine) {
        (Kind::Bytes, "postgres") => format!("upper(encode({name}, 'hex'))"),
        // hex() makes an empty text of NULL.
        (Kind::Bytes, _) => format!("CASE WHEN {name} IS NULL THEN NULL ELSE HEX({name}) END"),
        (_, "postgres") => format!("{name}::text"),
        (Kind::Double, _) => name.to_owned(),
        (_, "mysql") => format!("CAST({name} AS CHAR)"),
        _ => name.to_owned(),
    }
}

/// Takes away what engines print each in their own way.
pub fn settle(kind: Kind, cell: &mut String) {
    if cell == "NULL" {
        return;
    }
    match kind {
        Kind::Double => *cell = format!("{:?}", cell.parse::<f64>().unwrap()),
        Kind::DateTime if cell.contains('.') => {
            cell.truncate(cell.trim_end_matches('0').trim_end_matches('.').len());
        }
        _ => {}
    }
}
