//! Which rights the login lacks. The server itself is asked, by preparing statements that are never
//! run: it checks them as it would check those of the run, roles, wildcards and columns included.

use sqlx::{AssertSqlSafe, Executor, Row, SqlSafeStr};

use super::connect::{Database, Lease};
use super::{create, failure, sql, stage, writer};
use crate::error::Result;
use crate::plugin::ReadPlan;
use crate::plugin::path::WritePath;
use crate::plugin::rights::{Lack, Work};
use crate::schema::TableRef;

/// A right, the table that it is on (`None` for the whole database), and a statement that needs it.
type Need<'a> = (&'static str, Option<&'a TableRef>, String);

/// See [`crate::plugin::Reader::lacks`].
pub(super) async fn of_reader(db: &Database, plan: &ReadPlan) -> Result<Vec<Lack>> {
    let table = &plan.schema.table;
    let names: Vec<_> = plan.read_columns().map(|column| sql::name(&column.name)).collect();
    let select = format!("SELECT {} FROM {} LIMIT 0", names.join(", "), sql::table(table));
    lacking(db, vec![("SELECT", Some(table), select)]).await
}

/// See [`crate::plugin::Writer::lacks`].
pub(super) async fn of_writer(db: &Database, work: &Work<'_>) -> Result<Vec<Lack>> {
    let plan = work.plan;
    let table = &plan.schema.table;
    let target = sql::table(table);
    let names: Vec<_> = plan.target_columns().map(|column| sql::name(&column.name)).collect();
    let mut needs: Vec<Need<'_>> = Vec::new();
    let mut need = |is_needed: bool, right, statement| {
        if is_needed {
            needs.push((right, Some(table), statement));
        }
    };
    need(work.creates_table, "CREATE", format!("CREATE TABLE {target} (id int)"));
    need(true, "SELECT", format!("SELECT 1 FROM {target} LIMIT 0"));
    let nulls = vec!["NULL"; names.len()].join(", ");
    let insert = format!("INSERT INTO {target} ({}) VALUES ({nulls})", names.join(", "));
    need(work.inserts(), "INSERT", insert);
    let set: Vec<_> = names.iter().map(|name| format!("{name} = NULL")).collect();
    need(work.updates(), "UPDATE", format!("UPDATE {target} SET {} WHERE FALSE", set.join(", ")));
    need(work.deletes(), "DELETE", format!("DELETE FROM {target} WHERE FALSE"));
    if plan.path.may_be(WritePath::StagedStatements) {
        needs.push(("CREATE TEMPORARY TABLES", None, stage::sample()));
    }
    let markers = TableRef { schema: table.schema.clone(), name: "goshift_marker".to_owned() };
    if work.marks() {
        let name = writer::marker(plan);
        let on = Some(&markers);
        needs.push(("CREATE", on, create::marker(&name)));
        needs.push(("SELECT", on, format!("SELECT 1 FROM {name} LIMIT 0")));
        needs.push(("INSERT", on, format!("INSERT INTO {name} VALUES (NULL, NULL, NULL)")));
        needs.push(("DELETE", on, format!("DELETE FROM {name} WHERE FALSE")));
    }
    lacking(db, needs).await
}

async fn lacking(db: &Database, needs: Vec<Need<'_>>) -> Result<Vec<Lack>> {
    let mut lease = db.lease().await?;
    let (user, database) = login(db, &mut lease).await?;
    let mut denied: Vec<(Option<&TableRef>, Vec<&str>)> = Vec::new();
    for (right, table, statement) in &needs {
        let statement = AssertSqlSafe(statement.clone()).into_sql_str();
        let Err(error) = (&mut *lease).prepare(statement).await else { continue };
        match failure::number(&error) {
            Some(number) if failure::is_denied(number) => {
                match denied.iter_mut().find(|(on, _)| on == table) {
                    Some((_, rights)) => rights.push(right),
                    None => denied.push((*table, vec![right])),
                }
            }
            // It is still to be created, or added; the login may do that with it.
            Some(failure::NO_SUCH_TABLE | failure::NO_SUCH_COLUMN) => {}
            _ => return Err(db.failure(&format!("asking for the right to {right}"), error)),
        }
    }
    lease.keep();
    let lack = |(table, rights): (Option<&TableRef>, Vec<&str>)| {
        // The server takes no GRANT on a table that is missing, but one that lets it be created.
        let is_created = needs.iter().any(|(right, on, _)| *right == "CREATE" && *on == table);
        let first = (is_created && !rights.contains(&"CREATE")).then_some("CREATE");
        let granted: Vec<_> = first.into_iter().chain(rights.iter().copied()).collect();
        let schema = table.and_then(|table| table.schema.as_deref()).unwrap_or(&database);
        let name = table.map(|table| table.name.as_str());
        Lack {
            right: rights.join(", "),
            on: name
                .map_or_else(|| format!("database {schema}"), |n| format!("table {schema}.{n}")),
            remedy: format!(
                "GRANT {} ON {}.{} TO {user}",
                granted.join(", "),
                sql::name(schema),
                name.map_or_else(|| "*".to_owned(), sql::name)
            ),
        }
    };
    Ok(denied.into_iter().map(lack).collect())
}

/// The account that the server takes the login for, quoted, and the connection's database.
async fn login(db: &Database, lease: &mut Lease) -> Result<(String, String)> {
    let query = "SELECT CAST(CURRENT_USER() AS CHAR), CAST(DATABASE() AS CHAR)";
    let read = async {
        let row = (&mut **lease).fetch_one(query).await?;
        Ok((row.try_get::<String, _>(0)?, row.try_get(1)?))
    };
    let (user, database) = read.await.map_err(|error| db.failure("asking who it is", error))?;
    let (name, host) = user.rsplit_once('@').unwrap_or((&user, "%"));
    Ok((format!("{}@{}", sql::text(name), sql::text(host)), database))
}
