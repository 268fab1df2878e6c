//! One table in the place of another, in one transaction with a marker of the run.

use uuid::Uuid;

use super::connect::Db;
use super::describe::get;
use super::load::BEGIN;
use super::{lock, sql, writer};
use crate::error::{Context, Result};
use crate::fence::Fence;
use crate::plugin::{WritePlan, beside, marker_of};
use crate::schema::TableRef;

/// How long the swap may wait for those who use the target: whoever comes after it waits behind it.
const LOCK_TIMEOUT: &str = "60s";

/// See [`crate::plugin::Writer::swap_obstacles`].
pub(super) async fn obstacles(db: &Db, table: &TableRef) -> Result<Vec<String>> {
    let class = format!("to_regclass({})", sql::literal(&sql::table(&db.resolve(table))));
    let query = format!(
        "WITH t AS (SELECT * FROM pg_class WHERE oid = {class}) \
         SELECT 'it is no plain table' FROM t WHERE relkind <> 'r' OR relpersistence <> 'p' \
         UNION ALL SELECT 'it is part of an inheritance or a partition' FROM t \
           WHERE relhassubclass OR relispartition \
           OR EXISTS (SELECT FROM pg_inherits WHERE inhrelid = t.oid OR inhparent = t.oid) \
         UNION ALL SELECT 'it belongs to ' || pg_get_userbyid(relowner) || ', not to ' || current_user \
           FROM t WHERE pg_get_userbyid(relowner) <> current_user \
         UNION ALL SELECT 'its row security' FROM t WHERE relrowsecurity \
         UNION ALL SELECT 'policy ' || polname FROM pg_policy WHERE polrelid = {class} \
         UNION ALL SELECT 'its replica identity' FROM t WHERE relreplident <> 'd' \
         UNION ALL SELECT 'its tablespace' FROM t WHERE reltablespace <> 0 \
         UNION ALL SELECT 'its row type, as it is of the type ' || reloftype::regtype FROM t \
           WHERE reloftype <> 0 \
         UNION ALL SELECT 'foreign key ' || conname || ' of ' || conrelid::regclass FROM pg_constraint \
           WHERE contype = 'f' AND (conrelid = {class} OR confrelid = {class}) \
         UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger \
           WHERE tgrelid = {class} AND NOT tgisinternal \
         UNION ALL SELECT DISTINCT CASE WHEN r.ev_class = {class} THEN 'rule ' || r.rulename \
             ELSE 'view ' || r.ev_class::regclass END \
           FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid \
           WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass \
           AND d.refobjid = {class} \
         UNION ALL SELECT 'publication ' || p.pubname FROM pg_publication_tables p \
           JOIN t ON t.relname = p.tablename \
           JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = p.schemaname \
         UNION ALL SELECT 'statistics ' || stxname FROM pg_statistic_ext WHERE stxrelid = {class} \
         UNION ALL SELECT 'identity column ' || attname FROM pg_attribute \
           WHERE attrelid = {class} AND attidentity <> '' AND NOT attisdropped \
         UNION ALL SELECT 'grants on column ' || attname FROM pg_attribute \
           WHERE attrelid = {class} AND attacl IS NOT NULL AND NOT attisdropped"
    );
    let mut lane = db.lane().await?;
    let rows = lane.rows(query).await.context(|| format!("looking at {table}"))?;
    lane.release();
    rows.iter().map(|row| get(row, 0)).collect()
}

/// See [`crate::plugin::Writer::create_like`].
pub(super) async fn create_like(db: &Db, new: &TableRef, table: &TableRef) -> Result<()> {
    let class = format!("{}::regclass", sql::literal(&sql::table(table)));
    let (name, like) = (sql::table(new), sql::table(table));
    let create = format!("CREATE TABLE IF NOT EXISTS {name} (LIKE {like} INCLUDING ALL)");
    // Storage parameters, the comment and grants are not among what LIKE takes along.
    let block = format!(
        "DECLARE t record; g record; BEGIN {create}; \
         SELECT * INTO t FROM pg_class WHERE oid = {class}; \
         IF t.reloptions IS NOT NULL THEN EXECUTE format('ALTER TABLE %s SET (%s)', {0}, \
           array_to_string(t.reloptions, ', ')); END IF; \
         IF obj_description({class}, 'pg_class') IS NOT NULL THEN \
           EXECUTE format('COMMENT ON TABLE %s IS %L', {0}, obj_description({class}, 'pg_class')); \
         END IF; \
         FOR g IN SELECT a.* FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = {0}::regclass \
           AND a.grantee <> c.relowner LOOP \
           EXECUTE format('REVOKE ALL ON %s FROM %s', {0}, \
             CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END); \
         END LOOP; \
         FOR g IN SELECT * FROM aclexplode(t.relacl) WHERE grantee <> t.relowner LOOP \
           EXECUTE format('GRANT %s ON %s TO %s%s', g.privilege_type, {0}, \
             CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END, \
             CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END); \
         END LOOP; END",
        sql::literal(&name)
    );
    let mut lane = db.lane().await?;
    let created = lane.execute(format!("DO {}", sql::literal(&block))).await;
    created.context(|| format!("creating table {new}"))?;
    lane.release();
    Ok(())
}

/// See [`crate::plugin::Writer::swap`].
pub(super) async fn swap(
    db: &Db,
    plan: &WritePlan,
    target: &TableRef,
    fence: &Fence,
) -> Result<()> {
    let (markers, number) = marker(target, plan.run_id);
    let doing = || format!("putting {} in the place of {target}", plan.schema.table);
    let mut lane = db.lane().await?;
    let begin = format!(
        "{BEGIN}; {}; SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; \
         INSERT INTO {markers} (run_id, shard) VALUES ('{}', {number}) ON CONFLICT DO NOTHING",
        lock::take_table(target),
        plan.run_id
    );
    lane.execute(begin).await.context(doing)?;
    let block = replace(target, &plan.schema.table);
    lane.execute(format!("DO {}", sql::literal(&block))).await.context(doing)?;
    fence.check()?;
    crate::fault::point("swap.fenced");
    lane.execute("COMMIT".to_owned()).await.context(doing)?;
    lane.release();
    crate::fault::point("swap.renamed");
    Ok(())
}

/// The statements that drop the old table and give the new one its name, its sequences, and its indexes
/// their names.
fn replace(target: &TableRef, new: &TableRef) -> String {
    let class = |table: &TableRef| format!("{}::regclass", sql::literal(&sql::table(table)));
    let indexes = |table: &TableRef| {
        format!(
            "(SELECT c.relname::text AS name, d.def, \
             row_number() OVER (PARTITION BY d.def ORDER BY c.relname) AS nr \
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid CROSS JOIN LATERAL \
             (SELECT concat(substring(pg_get_indexdef(i.indexrelid) from ' USING .*'), \
             i.indisunique, i.indisprimary) AS def) d WHERE i.indrelid = {})",
            class(table)
        )
    };
    let schema = target.schema.as_deref().map(|schema| format!("{}.", sql::ident(schema)));
    let schema = sql::literal(&schema.unwrap_or_default());
    format!(
        "DECLARE was text[]; made text[]; s record; BEGIN \
         LOCK TABLE {table}, {beside} IN ACCESS EXCLUSIVE MODE; \
         SELECT array_agg(o.name), array_agg(n.name) INTO was, made \
           FROM {old} o JOIN {new_ones} n ON n.def = o.def AND n.nr = o.nr; \
         IF COALESCE(cardinality(was), 0) <> \
           (SELECT count(*) FROM pg_index WHERE indrelid = {class}) THEN \
           RAISE EXCEPTION 'the indexes of {plain} were changed while the run loaded its rows'; END IF; \
         FOR s IN SELECT d.objid::regclass::text AS name, a.attname FROM pg_depend d \
           JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
           JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' \
           WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass \
           AND d.refobjid = {class} AND d.deptype = 'a' LOOP \
           EXECUTE format('ALTER SEQUENCE %s OWNED BY %s.%I', s.name, {beside_text}, s.attname); \
         END LOOP; \
         DROP TABLE {table}; \
         ALTER TABLE {beside} RENAME TO {name}; \
         FOR i IN 1 .. COALESCE(cardinality(was), 0) LOOP \
           EXECUTE format('ALTER INDEX %s%I RENAME TO %I', {schema}, made[i], was[i]); \
         END LOOP; END",
        table = sql::table(target),
        beside = sql::table(new),
        beside_text = sql::literal(&sql::table(new)),
        old = indexes(target),
        new_ones = indexes(new),
        class = class(target),
        plain = target.to_string().replace('\'', "''").replace('%', "%%"),
        name = sql::ident(&target.name),
    )
}

/// See [`crate::plugin::Writer::settle_swap`].
pub(super) async fn settle(db: &Db, target: &TableRef, run_id: Uuid) -> Result<bool> {
    let (markers, number) = marker(target, run_id);
    let mut lane = db.lane().await?;
    let there = format!("SELECT to_regclass({}) IS NOT NULL", sql::literal(&markers));
    let looking = || format!("looking how far {target} was replaced");
    let mut is_done: bool = writer::single(&mut lane, there).await.context(looking)?;
    if is_done {
        let marked = format!(
            "SELECT EXISTS (SELECT FROM {markers} WHERE run_id = '{run_id}' AND shard = {number})"
        );
        is_done = writer::single(&mut lane, marked).await.context(looking)?;
    }
    lane.release();
    Ok(is_done)
}

/// The marker table beside the target, and the number there.
fn marker(target: &TableRef, run_id: Uuid) -> (String, i64) {
    let name = TableRef { schema: target.schema.clone(), name: "goshift_marker".to_owned() };
    (sql::table(&name), marker_of(&beside(target, run_id), "swap"))
}
