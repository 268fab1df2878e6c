//! Columns that the source has got since its target was made.

use crate::support::{ENGINES, Site, text};

async fn set_drift(site: &Site, drift: &str) {
    let params = format!(r#"{{"drift": "{drift}"}}"#);
    site.tasks(&format!("UPDATE task_def_sync_manager SET params = '{params}'")).await;
}

async fn a_new_column(from: &'static str, to: &'static str) {
    let site = Site::new("sqlite").await;
    let route = format!("{from} → {to}");
    let key = if from == "sqlite" { "INTEGER" } else { "int" };
    site.execute(
        from,
        &format!("CREATE TABLE source (id {key} NOT NULL PRIMARY KEY, a varchar(9))"),
    )
    .await;
    site.execute(from, "INSERT INTO source VALUES (1, 'x'), (2, 'y')").await;
    site.task(5, (from, "source"), (to, "target"), "").await;
    assert!(site.goshift(&["-id", "5"]).status.success(), "{route}");
    for column in ["\"weiß\" int", "late varchar(20)"] {
        let column = if from == "mysql" { column.replace('"', "`") } else { column.to_owned() };
        site.execute(from, &format!("ALTER TABLE source ADD COLUMN {column}")).await;
    }
    site.execute(from, "UPDATE source SET late = 'value' WHERE id = 2").await;

    let refused = site.goshift(&["-id", "5"]);
    assert_eq!(refused.status.code(), Some(1), "{route}: {}", text(&refused));
    assert!(text(&refused).contains("weiß") && text(&refused).contains("add_columns"), "{route}");
    set_drift(&site, "ignore").await;
    let ignored = site.goshift(&["-id", "5"]);
    assert!(ignored.status.success(), "{route}: {}", text(&ignored));
    assert!(text(&ignored).contains("lacks weiß, late: left out"), "{route}: {}", text(&ignored));
    set_drift(&site, "add_columns").await;
    let plan = site.goshift(&["plan", "-id", "5"]);
    assert!(plan.status.success(), "{route}: {}", text(&plan));
    assert!(text(&plan).contains("lacks weiß, late: added"), "{route}: {}", text(&plan));
    let added = site.goshift(&["-id", "5"]);
    assert!(added.status.success(), "{route}: {}", text(&added));
    let cast = if to == "mysql" { "CAST(id AS CHAR)" } else { "CAST(id AS text)" };
    let rows = format!("SELECT {cast}, COALESCE(late, '-') FROM target ORDER BY id");
    assert_eq!(site.rows(to, &rows).await, [["1", "-"], ["2", "value"]], "{route}");
    let again = site.goshift(&["-id", "5"]);
    assert!(again.status.success() && !text(&again).contains("lacks"), "{route}: {}", text(&again));
    site.assert_equal(5);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_only_the_source_has_is_refused_left_out_or_added() {
    for from in ENGINES {
        for to in ENGINES {
            a_new_column(from, to).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_may_not_be_added_is_a_sentence() {
    let site = Site::new("sqlite").await;
    site.my(
        "CREATE TABLE source (id int PRIMARY KEY, g geometry); INSERT INTO source VALUES (1, NULL)",
    )
    .await;
    site.pg("CREATE TABLE target (id int PRIMARY KEY)").await;
    let params = r#"{"drift": "add_columns"}"#;
    site.task(5, ("mysql", "source"), ("postgres", "target"), params).await;
    let refused = site.goshift(&["-id", "5"]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("column g of type geometry"), "{}", text(&refused));
    site.remove().await;
}
