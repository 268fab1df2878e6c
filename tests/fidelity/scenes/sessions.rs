//! What a session brings along, and what a server makes of a name.

use crate::support::{Site, text};

const SETTINGS: &[&str] = &[
    "timezone = 'America/New_York'",
    "datestyle = 'SQL, DMY'",
    "intervalstyle = 'sql_standard'",
    "extra_float_digits = -3",
    "bytea_output = 'escape'",
    "standard_conforming_strings = off",
    "client_encoding = 'LATIN1'",
    "search_path = 'pg_catalog'",
    "default_transaction_isolation = 'serializable'",
];

const SOURCE: &str = r"CREATE TABLE source (id int PRIMARY KEY, moment timestamptz, local timestamp, day date,
     span interval, ratio double precision, raw bytea, words text);
     INSERT INTO source VALUES (1, '2024-11-03 01:30:00-04', '2024-03-10 02:30:00', '2024-02-01',
     '-1 day 02:03:04', 0.1234567890123456, '\x00ff5c27', E'\\it''s 中\n'),
     (2, '2024-11-03 01:30:00-05', NULL, NULL, NULL, 1e-300, '', '')";
const ROWS: &str = "SELECT concat_ws('|', id, extract(epoch FROM moment)::bigint, local, day, span, \
     ratio::text, encode(raw, 'hex'), encode(convert_to(words, 'UTF8'), 'hex')) FROM target ORDER BY id";
const EXPECTED: &[[&str; 1]] = &[
    [
        "1|1730611800|2024-03-10 02:30:00|2024-02-01|-1 days +02:03:04|0.1234567890123456|00ff5c27|5c6974277320e4b8ad0a",
    ],
    ["2|1730615400|1e-300||"],
];
const IN_MYSQL: &str = "SELECT CONCAT_WS('|', id, moment, local, day, span, ratio, HEX(raw), HEX(words)) \
     FROM target ORDER BY id";
const EXPECTED_IN_MYSQL: &[[&str; 1]] = &[
    [
        "1|2024-11-03 05:30:00.000000|2024-03-10 02:30:00.000000|2024-02-01|-1 days +02:03:04|0.1234567890123456|00FF5C27|5C6974277320E4B8AD0A",
    ],
    ["2|2024-11-03 06:30:00.000000|1e-300||"],
];

/// The login's own settings count for nothing, as a source and as a target.
pub async fn odd_login(mut site: Site) {
    site.embedded();
    let role = format!("{}_odd", site.id);
    site.pg(SOURCE).await;
    site.pg(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'odd-login'; GRANT USAGE, CREATE ON SCHEMA {0} TO {role}; \
         GRANT SELECT ON ALL TABLES IN SCHEMA {0} TO {role}",
        site.id
    ))
    .await;
    for setting in SETTINGS {
        site.pg(&format!("ALTER ROLE {role} SET {setting}")).await;
    }
    site.configure(|config| {
        let login = &mut config["from"]["postgres"]["app_db"];
        login["user"] = role.as_str().into();
        login["password"] = "odd-login".into();
    });
    for (task, to) in [(5, "postgres"), (6, "mysql"), (7, "sqlite")] {
        site.task(task, ("postgres", "source"), (to, "target"), "").await;
        let output = site.goshift(&["-id", &task.to_string()]);
        assert!(output.status.success(), "{to}: {}", text(&output));
        site.assert_equal(task);
    }
    assert_eq!(site.rows("postgres", ROWS).await, EXPECTED);
    assert_eq!(site.rows("mysql", IN_MYSQL).await, EXPECTED_IN_MYSQL);
    // From what the others hold, back through that login.
    site.pg("DROP TABLE target").await;
    site.task(8, ("sqlite", "target"), ("postgres", "target"), "").await;
    let output = site.goshift(&["-id", "8"]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(site.rows("postgres", ROWS).await, EXPECTED);
    site.pg(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    site.remove().await;
}

pub async fn a_name_that_would_be_cut(mut site: Site) {
    site.embedded();
    let cut = "t".repeat(63);
    let whole = format!("{cut}x");
    site.pg(&format!(
        "CREATE TABLE {cut} (id int PRIMARY KEY); INSERT INTO {cut} VALUES (7); \
         CREATE TABLE source (id int PRIMARY KEY); INSERT INTO source VALUES (1)"
    ))
    .await;
    site.task(5, ("postgres", "source"), ("postgres", &whole), "").await;
    site.task(6, ("postgres", &whole), ("postgres", "target"), "").await;
    for (task, part) in [("5", "64 bytes"), ("6", "there is no source table")] {
        let output = site.goshift(&["-id", task]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains(part), "{}", text(&output));
    }
    let rows = site.rows("postgres", &format!("SELECT id::text FROM {cut}")).await;
    assert_eq!(rows, [["7"]]);
    site.remove().await;
}
