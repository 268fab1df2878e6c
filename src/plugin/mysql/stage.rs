//! A temporary table beside the target, for what one INSERT can't do: to update without inserting, and
//! to replace whole rows without taking out those that another unique key finds.

use super::sql;
use crate::plugin::{ByKey, WriteMode, WritePlan};

/// The table's quoted name. It hides a table of that name from its own session only.
const NAME: &str = "`goshift_stage`";

/// Where the rows of a shard wait until all of them are there; `None` if they go straight in.
pub(super) fn name(plan: &WritePlan) -> Option<&'static str> {
    (plan.mode == WriteMode::Upsert && plan.by_key.needs_stage()).then_some(NAME)
}

/// Creates it with the columns that are written, by their names and types, and without any key. Outside
/// of transactions: not every server takes it inside one.
pub(super) fn create(plan: &WritePlan) -> String {
    let names: Vec<_> = plan.target_columns().map(|column| sql::name(&column.name)).collect();
    format!(
        "{}; CREATE TEMPORARY TABLE {NAME} ENGINE=InnoDB AS SELECT {} FROM {} LIMIT 0",
        drop(),
        names.join(", "),
        sql::table(&plan.schema.table)
    )
}

/// A statement that needs the right to create it, and nothing else.
pub(super) fn sample() -> String {
    format!("CREATE TEMPORARY TABLE {NAME} (id int)")
}

/// Removes it, if it is there.
pub(super) fn drop() -> String {
    format!("DROP TEMPORARY TABLE IF EXISTS {NAME}")
}

/// The statements that bring its rows into the target. The last says how many rows it wrote, where
/// that has to be as many as there are.
pub(super) fn merge(plan: &WritePlan) -> Vec<String> {
    let table = sql::table(&plan.schema.table);
    let same: Vec<_> = plan
        .key_columns()
        .map(|column| format!("t.{0} = s.{0}", sql::name(&column.name)))
        .collect();
    // Otherwise a small stage could have the whole target read for each shard.
    let joined = format!("{NAME} s STRAIGHT_JOIN {table} t ON {}", same.join(" AND "));
    if plan.by_key == ByKey::Update {
        let set =
            plan.other_columns().map(|column| format!("t.{0} = s.{0}", sql::name(&column.name)));
        return vec![format!("UPDATE {joined} SET {}", set.collect::<Vec<_>>().join(", "))];
    }
    let names: Vec<_> = plan.target_columns().map(|column| sql::name(&column.name)).collect();
    let names = names.join(", ");
    vec![
        format!("DELETE t FROM {joined}"),
        format!("INSERT INTO {table} ({names}) SELECT {names} FROM {NAME}"),
    ]
}
