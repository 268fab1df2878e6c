//! What is attached to a target: triggers and foreign keys.

use super::case::{
    End::{Equal, Fails},
    Table, created,
};

const SOURCE: &str = "CREATE TABLE {s} (id int NOT NULL PRIMARY KEY, v varchar(9)); \
     INSERT INTO {s} VALUES (1, 'a'), (2, 'b')";
const TO_MYSQL: &[(&str, &str)] = &[("mysql", "mysql"), ("postgres", "mysql"), ("sqlite", "mysql")];
const TO_POSTGRES: &[(&str, &str)] =
    &[("mysql", "postgres"), ("postgres", "postgres"), ("sqlite", "postgres")];
const TO_SQLITE: &[(&str, &str)] =
    &[("mysql", "sqlite"), ("postgres", "sqlite"), ("sqlite", "sqlite")];
const LOGGED: &[&str] = &["1 a 1", "2 b 1"];
const LOG: &str = "SELECT CAST(id AS char), v, (SELECT CAST(count(*) AS char) FROM {t}_log l \
     WHERE l.id = {t}.id) FROM {t} ORDER BY 1";

pub const TABLES: &[Table] = &[
    created("a trigger that keeps a log", TO_MYSQL, SOURCE, Equal(LOG, LOGGED)).into(
        "CREATE TABLE {t} (id int NOT NULL PRIMARY KEY, v varchar(9)); CREATE TABLE {t}_log (id int); \
         CREATE TRIGGER {t}_logs AFTER INSERT ON {t} FOR EACH ROW INSERT INTO {t}_log VALUES (NEW.id)",
    ),
    created("a trigger that keeps a log", TO_POSTGRES, SOURCE, Equal(LOG, LOGGED)).into(
        "CREATE TABLE {t} (id int NOT NULL PRIMARY KEY, v varchar(9)); CREATE TABLE {t}_log (id int); \
         CREATE FUNCTION {t}_f() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN INSERT INTO {t}_log VALUES (NEW.id); RETURN NEW; END'; \
         CREATE TRIGGER logs AFTER INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION {t}_f()",
    ),
    created("a trigger that keeps a log", TO_SQLITE, SOURCE, Equal(LOG, LOGGED)).into(
        "CREATE TABLE {t} (id INT4 NOT NULL PRIMARY KEY, v VARCHAR(9)); CREATE TABLE {t}_log (id INT4); \
         CREATE TRIGGER {t}_logs AFTER INSERT ON {t} BEGIN INSERT INTO {t}_log VALUES (NEW.id); END",
    ),
    created(
        "a trigger that leaves a row out",
        TO_POSTGRES,
        SOURCE,
        Fails(&["{t}", "2 rows were sent and PostgreSQL stored 1", "trigger"], "0"),
    )
    .into(
        "CREATE TABLE {t} (id int NOT NULL PRIMARY KEY, v varchar(9)); \
         CREATE FUNCTION {t}_f() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END'; \
         CREATE TRIGGER drops BEFORE INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION {t}_f()",
    ),
    created(
        "a trigger that leaves a row out, by upsert",
        TO_POSTGRES,
        SOURCE,
        Fails(&["{t}", "2 rows were sent and PostgreSQL stored 1", "trigger"], "1"),
    )
    .into(
        "CREATE TABLE {t} (id int NOT NULL PRIMARY KEY, v varchar(9)); INSERT INTO {t} VALUES (1, 'old'); \
         CREATE FUNCTION {t}_f() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END'; \
         CREATE TRIGGER drops BEFORE INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION {t}_f()",
    ),
    created(
        "a trigger that leaves a row out",
        TO_SQLITE,
        SOURCE,
        Fails(&["{t}", "id=2", "the row was not stored", "trigger"], "0"),
    )
    .into(
        "CREATE TABLE {t} (id INT4 NOT NULL PRIMARY KEY, v VARCHAR(9)); \
         CREATE TRIGGER {t}_drops BEFORE INSERT ON {t} WHEN NEW.id = 2 BEGIN SELECT RAISE(IGNORE); END",
    ),
    created(
        "a trigger that refuses a row",
        TO_MYSQL,
        SOURCE,
        Fails(&["{t}", "no row 2 here"], "0"),
    )
    .into(
        "CREATE TABLE {t} (id int NOT NULL PRIMARY KEY, v varchar(9)); \
         CREATE TRIGGER {t}_refuses BEFORE INSERT ON {t} FOR EACH ROW IF NEW.id = 2 THEN \
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no row 2 here'; END IF",
    ),
    created(
        "a trigger that changes a value, with \"verify\"",
        TO_MYSQL,
        SOURCE,
        Fails(&["{t}", "1 different", "id=2", "v"], "2"),
    )
    .into(
        "CREATE TABLE {t} (id int NOT NULL PRIMARY KEY, v varchar(9)); \
         CREATE TRIGGER {t}_changes BEFORE INSERT ON {t} FOR EACH ROW \
         SET NEW.v = IF(NEW.id = 2, 'changed', NEW.v)",
    )
    .with(r#"{"verify": true}"#),
    created("a parent that is missing", TO_MYSQL, SOURCE, Fails(&["{t}", "id=2", "of_parent"], "0"))
        .into(
            "CREATE TABLE {t}_parent (v varchar(9) PRIMARY KEY); INSERT INTO {t}_parent VALUES ('a'); \
             CREATE TABLE {t} (id int NOT NULL PRIMARY KEY, v varchar(9), \
             CONSTRAINT {t}_of_parent FOREIGN KEY (v) REFERENCES {t}_parent (v))",
        ),
    created("a parent that is missing", TO_POSTGRES, SOURCE, Fails(&["{t}", "of_parent"], "0")).into(
        "CREATE TABLE {t}_parent (v varchar(9) PRIMARY KEY); INSERT INTO {t}_parent VALUES ('a'); \
         CREATE TABLE {t} (id int NOT NULL PRIMARY KEY, v varchar(9), \
         CONSTRAINT of_parent FOREIGN KEY (v) REFERENCES {t}_parent (v))",
    ),
    created(
        "a parent that is there",
        &[("mysql", "mysql"), ("postgres", "postgres"), ("mysql", "postgres"), ("postgres", "mysql")],
        SOURCE,
        Equal("SELECT CAST(id AS char), v FROM {t} ORDER BY 1", &["1 a", "2 b"]),
    )
    .into(
        "CREATE TABLE {t}_parent (v varchar(9) PRIMARY KEY); INSERT INTO {t}_parent VALUES ('a'), ('b'); \
         CREATE TABLE {t} (id int NOT NULL PRIMARY KEY, v varchar(9), FOREIGN KEY (v) REFERENCES {t}_parent (v))",
    ),
];
