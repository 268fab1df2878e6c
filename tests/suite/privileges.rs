//! Logins that lack a right: `goshift plan` names it and how to give it, a run fails at once.

use crate::support::{Site, text};

/// One of two sides, and what its login may do there from the start.
struct Case {
    /// `from` or `to`.
    side: &'static str,
    /// Whether the target is there.
    has_target: bool,
    params: &'static str,
    /// Rights on the source or the target.
    granted: &'static str,
    /// The rights that lack in MySQL and in PostgreSQL, in the plan's order.
    lacking: [&'static [&'static str]; 2],
}

const CASES: [Case; 6] = [
    Case {
        side: "from",
        has_target: true,
        params: "",
        granted: "INSERT",
        lacking: [&["SELECT"], &["SELECT"]],
    },
    Case {
        side: "to",
        has_target: true,
        params: "",
        granted: "SELECT",
        lacking: [&["INSERT", "UPDATE"], &["INSERT", "UPDATE"]],
    },
    Case {
        side: "to",
        has_target: true,
        params: r#"{"write_mode": "update"}"#,
        granted: "SELECT",
        lacking: [&["UPDATE", "CREATE TEMPORARY TABLES"], &["UPDATE"]],
    },
    Case {
        side: "to",
        has_target: true,
        params: r#"{"write_mode": "replace"}"#,
        granted: "SELECT",
        lacking: [&["INSERT", "DELETE", "CREATE TEMPORARY TABLES"], &["INSERT", "DELETE"]],
    },
    Case {
        side: "to",
        has_target: true,
        params: r#"{"write_mode": "insert"}"#,
        granted: "SELECT, INSERT",
        lacking: [&["CREATE", "SELECT", "INSERT", "DELETE"], &["CREATE"]],
    },
    Case {
        side: "to",
        has_target: false,
        params: "",
        granted: "SELECT, INSERT, UPDATE",
        lacking: [&["CREATE"], &["CREATE"]],
    },
];

/// A login of this test's own, with those rights on one table.
async fn login(site: &mut Site, engine: &str, case: &Case) -> String {
    let name = format!("{}_u", site.id);
    let table = if case.side == "from" { "source" } else { "target" };
    let granted = case.granted;
    match engine {
        "mysql" => {
            // A right on a table that is missing can't be granted without CREATE: on the database.
            let on = if case.side == "from" || case.has_target { table } else { "*" };
            site.my(&format!(
                "CREATE USER {name}@'%' IDENTIFIED BY 'of the test'; \
                 GRANT {granted} ON {}.{on} TO {name}@'%'",
                site.id
            ))
            .await;
        }
        _ => {
            site.pg(&format!(
                "CREATE ROLE {name} LOGIN PASSWORD 'of the test'; \
                 GRANT USAGE ON SCHEMA {} TO {name}",
                site.id
            ))
            .await;
            if case.side == "from" || case.has_target {
                site.pg(&format!("GRANT {granted} ON {table} TO {name}")).await;
            }
        }
    }
    let mut connection = site.connection(engine);
    connection["user"] = name.as_str().into();
    connection["password"] = "of the test".into();
    site.configure(|config| config[case.side][engine]["app_db"] = connection);
    name
}

async fn drop_login(site: &Site, engine: &str, name: &str) {
    match engine {
        "mysql" => site.my(&format!("DROP USER {name}@'%'")).await,
        _ => site.pg(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).await,
    }
}

/// What `goshift plan` says is lacking: each right, and what gives it.
fn lacks(site: &Site) -> Vec<(String, String)> {
    let plan = site.goshift(&["plan", "-id", "5"]);
    assert!(plan.status.success(), "{}", text(&plan));
    let plan = text(&plan);
    let lines = plan.lines().filter_map(|line| line.strip_prefix("lacks   "));
    let read = |line: &str| {
        let (what, remedy) = line.split_once(" → ").unwrap();
        let (_, right) = what.split_once(": ").unwrap();
        let (right, _) = right.split_once(" on ").unwrap();
        (right.to_owned(), remedy.to_owned())
    };
    lines.map(read).collect()
}

async fn lacks_until_it_is_granted(engine: &'static str, at: usize, case: &Case) {
    let what = format!("{engine}, {} {}", case.side, case.params);
    let mut site = Site::new("sqlite").await;
    site.embedded();
    let (from, to) = if case.side == "from" { (engine, "sqlite") } else { ("sqlite", engine) };
    for (side, table) in [(from, "source"), (to, "target")] {
        if table == "target" && !case.has_target {
            continue;
        }
        let id = if side == "sqlite" { "INTEGER" } else { "int" };
        let create = format!("CREATE TABLE {table} (id {id} NOT NULL PRIMARY KEY, t varchar(9))");
        site.execute(side, &create).await;
    }
    site.execute(from, "INSERT INTO source VALUES (1, 'x')").await;
    let name = login(&mut site, engine, case).await;
    site.task(5, (from, "source"), (to, "target"), case.params).await;

    let found = lacks(&site);
    let rights: Vec<_> = found.iter().flat_map(|(rights, _)| rights.split(", ")).collect();
    assert_eq!(rights, case.lacking[at], "{what}");
    let run = site.goshift(&["-id", "5"]);
    assert_eq!(run.status.code(), Some(1), "{what}: {}", text(&run));
    let said = text(&run);
    let table = if case.side == "from" { "source" } else { "target" };
    assert!(rights.iter().any(|right| said.contains(right)), "{what}: {said}");
    let named = [table, "goshift_marker", "schema"].iter().any(|name| said.contains(name));
    assert!(named && !said.contains("of the test"), "{what}: {said}");
    let ended = site.ask("SELECT state, CAST(attempt AS text) FROM goshift_run").await;
    assert_eq!(ended, [["failed", "1"]], "{what}: not tried again");

    for (_, grant) in &found {
        assert!(grant.contains(&name), "{what}: {grant}");
        site.execute(engine, grant).await;
    }
    assert_eq!(lacks(&site), [], "{what}");
    let run = site.goshift(&["-id", "5"]);
    assert!(run.status.success(), "{what}: {}", text(&run));
    drop_login(&site, engine, &name).await;
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_lacks_in_mysql_is_named_and_can_be_granted() {
    for case in &CASES {
        lacks_until_it_is_granted("mysql", 0, case).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_lacks_in_postgres_is_named_and_can_be_granted() {
    for case in &CASES {
        lacks_until_it_is_granted("postgres", 1, case).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_by_roles_patterns_and_columns_count() {
    let mut site = Site::new("sqlite").await;
    site.embedded();
    let (id, name, role) = (site.id.clone(), format!("{}_u", site.id), format!("{}_r", site.id));
    site.my("CREATE TABLE source (id int PRIMARY KEY, t varchar(9))").await;
    site.my(&format!(
        "CREATE ROLE {role}; CREATE USER {name}@'%' IDENTIFIED BY 'of the test'; \
         GRANT SELECT (id, t) ON {id}.source TO {role}; GRANT {role} TO {name}@'%'; \
         SET DEFAULT ROLE {role} FOR {name}@'%'; \
         GRANT SELECT, INSERT, UPDATE, CREATE ON `{}`.* TO {name}@'%'",
        id.replace('_', "\\_").replace(&id[id.len() - 4..], "%")
    ))
    .await;
    site.pg(&format!(
        "CREATE TABLE target (id int PRIMARY KEY, t varchar(9)); \
         CREATE ROLE {role}; CREATE ROLE {name} LOGIN PASSWORD 'of the test' IN ROLE {role}; \
         GRANT USAGE ON SCHEMA {id} TO {role}; \
         GRANT SELECT (id, t), INSERT (id, t), UPDATE (t) ON target TO {role}"
    ))
    .await;
    for engine in ["mysql", "postgres"] {
        let mut connection = site.connection(engine);
        connection["user"] = name.as_str().into();
        connection["password"] = "of the test".into();
        site.configure(|config| config["from"][engine]["app_db"] = connection);
    }
    site.task(5, ("mysql", "source"), ("postgres", "target"), "").await;
    assert_eq!(lacks(&site), []);
    let run = site.goshift(&["-id", "5"]);
    assert!(run.status.success(), "{}", text(&run));
    site.pg(&format!("REVOKE UPDATE (t) ON target FROM {role}")).await;
    let found = lacks(&site);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, "UPDATE");
    site.my(&format!("DROP ROLE {role}; DROP USER {name}@'%'")).await;
    site.pg(&format!("DROP ROLE {name}; DROP OWNED BY {role}; DROP ROLE {role}")).await;
    site.remove().await;
}
