//! What `goshift plan` warns of.

use crate::support::{Site, text};

#[tokio::test]
async fn a_plan_warns_of_triggers_foreign_keys_and_missing_indexes() {
    let site = Site::new("sqlite").await;
    site.my("CREATE TABLE source (id int PRIMARY KEY, changed datetime, parent int); \
         CREATE TABLE parent (id int PRIMARY KEY); \
         CREATE TABLE target (id int PRIMARY KEY, changed datetime, parent int, \
           CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parent (id)); \
         CREATE TRIGGER noisy BEFORE INSERT ON target FOR EACH ROW SET NEW.parent = NEW.parent")
        .await;
    site.pg("CREATE TABLE source (id int PRIMARY KEY, changed timestamp, parent int); \
         CREATE TABLE parent (id int PRIMARY KEY); \
         CREATE TABLE target (id int PRIMARY KEY, changed timestamp, \
           parent int CONSTRAINT of_parent REFERENCES parent); \
         CREATE FUNCTION noise() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
         CREATE TRIGGER noisy BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION noise()")
        .await;
    site.execute(
        "sqlite",
        "CREATE TABLE source (id INTEGER PRIMARY KEY, changed DATETIME, parent INT4); \
         CREATE TABLE target (id INTEGER PRIMARY KEY, changed DATETIME, parent INT4); \
         CREATE TRIGGER noisy AFTER INSERT ON target BEGIN SELECT 1; END",
    )
    .await;
    for (id, from, to) in
        [(1, "mysql", "postgres"), (2, "postgres", "mysql"), (3, "sqlite", "sqlite")]
    {
        site.task(id, (from, "source"), (to, "target"), r#"{"diff_column": "changed"}"#).await;
        let id = id.to_string();
        let plan = |mode: &str| text(&site.goshift(&["plan", "-id", &id, "--mode", mode]));
        let init = plan("init");
        assert!(init.contains("trigger noisy"), "{to}: {init}");
        assert_eq!(init.contains("foreign key of_parent"), to != "sqlite", "{to}: {init}");
        assert!(!init.contains("no index"), "{from}: {init}");
        let cursor = plan("cursor");
        assert!(cursor.contains("begins with changed"), "{from}: {cursor}");
        site.execute(from, "CREATE INDEX by_change ON source (changed)").await;
        let cursor = plan("cursor");
        assert!(!cursor.contains("no index"), "{from}: {cursor}");
    }
    site.remove().await;
}
