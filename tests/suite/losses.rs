//! What a target changes or drops in silence fails the run, on the bulk paths too.

use crate::support::{Site, text};

/// Runs task 5, which must fail and say this.
fn fails(site: &Site, said: &[&str]) {
    let output = site.goshift(&["-id", "5"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    for part in said {
        assert!(text(&output).contains(part), "{part}: {}", text(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_drops_rows_is_noticed_in_a_binary_copy() {
    let site = Site::new("postgres").await;
    site.pg("CREATE TABLE source (id int PRIMARY KEY, name text)").await;
    site.pg("INSERT INTO source SELECT i, 'row ' || i FROM generate_series(1, 1000) i").await;
    site.pg("CREATE TABLE target (id int PRIMARY KEY, name text)").await;
    site.pg("CREATE FUNCTION odd_only() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN IF NEW.id % 2 = 0 THEN RETURN NULL; END IF; RETURN NEW; END'")
        .await;
    site.pg(
        "CREATE TRIGGER odd_only BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION odd_only()",
    )
    .await;
    site.task(5, ("postgres", "source"), ("postgres", "target"), "").await;
    fails(&site, &["1000 rows were sent and PostgreSQL stored 500", "trigger"]);
    assert!(site.rows("postgres", "SELECT id::text FROM target").await.is_empty());
    site.remove().await;
}

/// A load takes 16 characters for the 16 bytes of an address: no warning, another value.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_sixteen_characters_is_loaded_as_text() {
    let site = Site::new("mysql").await;
    let columns = "id int PRIMARY KEY, address inet6, number uuid";
    site.my(&format!("CREATE TABLE source ({columns}); CREATE TABLE target ({columns})")).await;
    site.my(
        "INSERT INTO source VALUES (1, '2001:db8::1:2:34', '123e4567-e89b-12d3-a456-426655440000'), \
         (2, '::1', NULL)",
    )
    .await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    let output = site.goshift(&["-id", "5"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(!text(&output).contains("by statements"), "{}", text(&output));
    let shown = "SELECT CAST(address AS CHAR), COALESCE(CAST(number AS CHAR), '') FROM";
    let source = site.rows("mysql", &format!("{shown} source ORDER BY id")).await;
    assert_eq!(site.rows("mysql", &format!("{shown} target ORDER BY id")).await, source);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn truth_values_are_loaded_into_bits() {
    let site = Site::new("mysql").await;
    site.pg("CREATE TABLE source (id int PRIMARY KEY, yes boolean, bits varbit(80))").await;
    site.pg("INSERT INTO source VALUES (1, true, B'101'), (2, false, B'0'), (3, NULL, NULL)").await;
    site.my("CREATE TABLE target (id int PRIMARY KEY, yes bit(1), bits bit(64))").await;
    site.task(5, ("postgres", "source"), ("mysql", "target"), "").await;
    let output = site.goshift(&["-id", "5"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(!text(&output).contains("by statements"), "{}", text(&output));
    let found = "SELECT COALESCE(CONCAT(yes + 0, ' ', bits + 0), '') FROM target ORDER BY id";
    assert_eq!(site.rows("mysql", found).await.concat(), ["1 5", "0 0", ""]);
    let long = "1".repeat(65);
    site.pg(&format!("INSERT INTO source VALUES (4, true, B'{long}')")).await;
    site.my("DELETE FROM target").await;
    fails(&site, &["row id=4", "column bits", "has 65 bits, the target keeps 64"]);
    site.remove().await;
}

/// The server refuses the load before it asks for the rows, of which there are more than the way to
/// it holds: the error must come out at once, not when the shard counts as hanging.
#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_is_refused_as_a_whole_says_why() {
    let mut site = Site::new("sqlite").await;
    let (user, password) = (format!("{}_r", site.id), "only-reads");
    site.my(&format!(
        "CREATE TABLE source (id int PRIMARY KEY, name text); CREATE TABLE target LIKE source; \
         INSERT INTO source SELECT seq, REPEAT('x', 2000) FROM seq_1_to_3000; \
         CREATE USER {user}@'%' IDENTIFIED BY '{password}'; \
         GRANT SELECT ON {}.* TO {user}@'%'",
        site.id
    ))
    .await;
    site.configure(|config| {
        let mut reader = config["from"]["mysql"]["app_db"].clone();
        reader["user"] = user.clone().into();
        reader["password"] = password.into();
        config["to"] = serde_json::json!({"mysql": {"app_db": reader}});
        config["worker"]["stall"] = "40s".into();
    });
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    fails(&site, &["INSERT command denied"]);
    site.my(&format!("DROP USER {user}@'%'")).await;
    site.remove().await;
}

/// Without transactions and without a key nobody could tell what a lost worker has written.
#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_neither_key_nor_transactions_is_refused() {
    let site = Site::new("mysql").await;
    site.my("CREATE TABLE source (id int PRIMARY KEY); INSERT INTO source VALUES (1); \
         CREATE TABLE target (id int) ENGINE = MyISAM")
        .await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), "").await;
    fails(&site, &["neither a key that tells rows apart nor transactions", "InnoDB"]);
    site.my("ALTER TABLE target ADD PRIMARY KEY (id)").await;
    let output = site.goshift(&["-id", "5"]);
    assert!(output.status.success(), "{}", text(&output));
    site.assert_equal(5);
    site.remove().await;
}
