//! The SQL of a row's hash.
//!
//! SHA-256 is what every server has. A hash of 32 hexadecimal digits becomes a number by way of two more
//! texts, though, and texts that are cut out of a row by their lengths need those lengths: together that
//! costs as much as all else about a row. MariaDB from 10.8 on has two independent 32-bit checksums, whose
//! product is 64 bits at 0.6 of the price. It is the product, since checksums by themselves are linear: where
//! the same bits change in two rows, in a swap of two values say, their sum may well stay as it was.

use sqlx::{AssertSqlSafe, Executor, Row};

use super::connect::Database;
use super::digest::printed;
use super::sql;
use crate::error::Result;
use crate::plugin::digest::{DigestPlan, HashFunction, NULL_TEXT, Print, SEPARATOR};
use crate::schema::{Column, LogicalType};

/// The product of both checksums, by the name that two servers compare.
const PRODUCT: &str = "CRC-32 times CRC-32C";
/// The product of a text, and what must come out: without CRC32C (MySQL, an older MariaDB), or where
/// something in between keeps variables from statements, it is another answer or none.
const PROBE: &str = "SELECT CAST(CRC32(@goshift:='goshift')*CRC32C(@goshift) AS CHAR)";
const PROBED: &str = "203612039942483494";

/// What stands for the hash of a row whose text is longer than `max_allowed_packet`: the server makes
/// NULL of it, which a sum would pass over. No sum of hashes is as large.
const TOO_LONG: &str = "9999999999999999999999999999999999999999";

/// Whether a sum has such a row in it.
pub(super) fn is_too_long(sum: &str) -> bool {
    sum.len() >= TOO_LONG.len()
}

/// The hash functions that the server has, best first.
pub(super) async fn functions(db: &Database) -> Result<Vec<HashFunction>> {
    let mut lease = db.lease().await?;
    let answer = (&mut *lease).fetch_one(sqlx::raw_sql(AssertSqlSafe(PROBE))).await;
    let has_product = match answer.and_then(|row| row.try_get_unchecked::<Option<String>, _>(0)) {
        Ok(answer) => answer.as_deref() == Some(PROBED),
        Err(sqlx::Error::Database(error)) => {
            tracing::debug!(%error, "rows are hashed by SHA-256");
            false
        }
        Err(error) => return Err(db.failure("asking for hash functions", error)),
    };
    lease.keep();
    let product = has_product.then(|| HashFunction::Own(PRODUCT.to_owned()));
    Ok(product.into_iter().chain([HashFunction::Sha256]).collect())
}

/// A row's hash, of no more than 64 bits; [`is_too_long`] if its text has no room in a packet.
pub(super) fn of_row(plan: &DigestPlan, max_packet: usize) -> String {
    let text = row_text(&plan.hash, plan.hashed_columns());
    let hash = match plan.hash {
        HashFunction::Own(_) => format!("CRC32(@goshift:={text})*CRC32C(@goshift)"),
        HashFunction::Sha256 => format!("CAST({} AS UNSIGNED)", digits(&text, 16)),
    };
    let longest =
        plan.hashed_columns().try_fold(0, |sum, (column, _)| Some(sum + longest(column)?));
    match longest {
        Some(bytes) if bytes <= max_packet => hash,
        _ => format!("IFNULL({hash},{TOO_LONG})"),
    }
}

/// A row's bucket.
pub(super) fn bucket(plan: &DigestPlan, buckets: u32) -> String {
    let mask = buckets - 1;
    if plan.by_number {
        let names: Vec<_> = plan.key_columns().map(|(c, _)| sql::name(&c.name)).collect();
        return format!("(({}) & {mask})", names.join(" ^ "));
    }
    let key = row_text(&plan.hash, plan.key_columns());
    match plan.hash {
        HashFunction::Own(_) => format!("(CRC32({key}) & {mask})"),
        HashFunction::Sha256 => format!("(CAST({} AS UNSIGNED) & {mask})", digits(&key, 4)),
    }
}

/// So many hexadecimal digits of the text's SHA-256, as a number.
fn digits(text: &str, digits: u32) -> String {
    format!("CONV(LEFT(SHA2({text},256),{digits}),16,10)")
}

/// The columns' text in a row's text, from which they could be told apart again.
fn row_text<'a>(
    function: &HashFunction,
    columns: impl Iterator<Item = (&'a Column, Print)>,
) -> String {
    match function {
        HashFunction::Own(_) => parted(columns),
        HashFunction::Sha256 => measured(columns),
    }
}

/// Texts have their lengths in front.
fn measured<'a>(columns: impl Iterator<Item = (&'a Column, Print)>) -> String {
    let cell = |(column, print): (&Column, Print)| {
        let text = printed(column, print);
        match (print, column.nullable) {
            (Print::Text | Print::Own, false) => format!("LENGTH({text}),{text}"),
            // No CONCAT of both: of a text without room in a packet it would be NULL, too.
            (Print::Text | Print::Own, true) => {
                format!("IFNULL(LENGTH({text}),'{NULL_TEXT}'),IFNULL({text},'')")
            }
            (_, true) => format!("IFNULL({text},'{NULL_TEXT}')"),
            (_, false) => text,
        }
    };
    let cells: Vec<_> = columns.map(cell).collect();
    format!("CONCAT_WS('{SEPARATOR}',{})", cells.join(","))
}

/// Between the cells, and for NULL, stand bytes that no UTF-8 has. The cast makes all of it bytes; a
/// literal by itself would be taken for a text.
fn parted<'a>(columns: impl Iterator<Item = (&'a Column, Print)>) -> String {
    let cell = |(column, print): (&Column, Print)| {
        let mut text = printed(column, print);
        let is_utf8 = column.collation.as_ref().is_none_or(|c| c.starts_with("utf8"));
        if print == Print::Own && !is_utf8 {
            text = format!("CONVERT({text} USING utf8mb4)");
        }
        if column.nullable { format!("IFNULL({text},CAST(x'FE' AS BINARY))") } else { text }
    };
    let cells: Vec<_> = columns.map(cell).collect();
    format!("CONCAT_WS(CAST(x'FF' AS BINARY),{})", cells.join(","))
}

/// The most bytes of a column's text with all that is put around it, if its type has bounds.
fn longest(column: &Column) -> Option<usize> {
    use LogicalType as T;
    /// Separators, a length, NULL.
    const AROUND: usize = 24;
    let text = match column.logical {
        T::Bool | T::Int(_) | T::UInt(_) | T::Year => 32,
        // DOUBLE(255,30) shows them all.
        T::Float32 | T::Float64 => 512,
        T::Date | T::Time(_) | T::DateTime(_) | T::TimestampTz(_) => 32,
        // CAST to DECIMAL(65, …).
        T::Decimal { .. } => 68,
        // Of up to four bytes each.
        T::Text(Some(characters)) => 4 * characters as usize,
        T::Bytes(Some(bytes)) => 2 * bytes as usize,
        T::Bit { .. } => 64,
        T::Uuid => 36,
        _ => return None,
    };
    Some(text + AROUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, logical: LogicalType, nullable: bool) -> Column {
        Column {
            name: name.to_owned(),
            collation: matches!(logical, LogicalType::Text(_)).then(|| "utf8mb4_bin".to_owned()),
            logical,
            native: String::new(),
            nullable,
            generated: false,
            auto_increment: false,
            optional: nullable,
            comment: None,
            default: None,
        }
    }

    #[test]
    fn the_text_of_a_row_says_where_its_cells_end() {
        let columns = [
            (column("id", LogicalType::Int(32), false), Print::Whole),
            (column("a", LogicalType::Text(Some(9)), true), Print::Text),
        ];
        let cells = || columns.iter().map(|(column, print)| (column, *print));
        assert_eq!(
            row_text(&HashFunction::Sha256, cells()),
            "CONCAT_WS('|',`id`,IFNULL(LENGTH(`a`),'-'),IFNULL(`a`,''))"
        );
        assert_eq!(
            row_text(&HashFunction::Own(PRODUCT.to_owned()), cells()),
            "CONCAT_WS(CAST(x'FF' AS BINARY),`id`,IFNULL(`a`,CAST(x'FE' AS BINARY)))"
        );
    }

    #[test]
    fn only_what_may_be_too_long_for_a_packet_is_watched() {
        let bounded = column("a", LogicalType::Text(Some(9)), true);
        assert_eq!(longest(&bounded), Some(60));
        assert_eq!(longest(&column("b", LogicalType::Text(None), true)), None);
    }
}
