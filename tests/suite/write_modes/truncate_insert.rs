//! `write_mode` truncate_insert: the target ends with the source's rows and no other.

use super::emptied::{found, id, refused, tables};
use crate::support::{ENGINES, Site, text};

const PARAMS: &str = r#"{"write_mode": "truncate_insert", "read_batch": 300, "worker_num": 3}"#;

async fn set_params(site: &Site, params: &str) {
    site.tasks(&format!("UPDATE task_def_sync_manager SET params = '{params}'")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_leaves_the_source_s_rows_and_no_other() {
    for from in ENGINES {
        for to in ENGINES {
            let site = tables(from, to, " PRIMARY KEY").await;
            site.task(5, (from, "source"), (to, "target"), PARAMS).await;
            let plan = text(&site.goshift(&["plan", "-id", "5"]));
            for part in ["empty the target once, then upsert by (id)", "is emptied when the run"] {
                assert!(plan.contains(part), "{from} → {to}: {plan}");
            }
            assert_eq!(found(&site, to).await, ["3", "3", "3"], "{from} → {to}: only looked at");
            for _ in 0..2 {
                let run = site.goshift(&["-id", "5"]);
                assert!(run.status.success(), "{from} → {to}: {}", text(&run));
                assert_eq!(found(&site, to).await, ["2000", "2000", "0"], "{from} → {to}");
                site.assert_equal(5);
                site.execute(to, "DELETE FROM target WHERE id = 7").await;
                let repaired = site.goshift(&["verify", "-id", "5", "--repair"]);
                assert!(repaired.status.success(), "{from} → {to}: {}", text(&repaired));
                assert_eq!(found(&site, to).await, ["2000", "2000", "0"], "{from} → {to}");
                site.execute(to, "INSERT INTO target VALUES (9000, 'since', 'own')").await;
            }
            site.remove().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_a_key_is_not_doubled() {
    for to in ENGINES {
        let site = tables("mysql", to, "").await;
        site.task(5, ("mysql", "source"), (to, "target"), PARAMS).await;
        for consistency in ["shard", "snapshot", "shard"] {
            let params = PARAMS.replace('}', &format!(", \"consistency\": \"{consistency}\"}}"));
            set_params(&site, &params).await;
            let run = site.goshift(&["-id", "5"]);
            assert!(run.status.success(), "{to}: {}", text(&run));
            assert_eq!(found(&site, to).await, ["2000", "2000", "0"], "{to}");
        }
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_missing_is_created() {
    for to in ENGINES {
        let site = tables("mysql", to, " PRIMARY KEY").await;
        site.task(5, ("mysql", "source"), (to, "fresh"), PARAMS).await;
        for _ in 0..2 {
            let run = site.goshift(&["-id", "5"]);
            assert!(run.status.success(), "{to}: {}", text(&run));
            site.assert_equal(5);
        }
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_source_empties_nothing_unless_that_is_allowed() {
    for to in ENGINES {
        let site = tables("mysql", to, " PRIMARY KEY").await;
        site.task(5, ("mysql", "source"), (to, "target"), PARAMS).await;
        set_params(&site, &PARAMS.replace('}', ", \"where\": \"id < 0\"}")).await;
        let said = ["source has no row that is to be copied", "only empty", "max_delete"];
        refused(&site, to, 1, &said).await;
        site.my("DELETE FROM source").await;
        set_params(&site, PARAMS).await;
        refused(&site, to, 1, &["source has no row:", "target", "max_delete"]).await;
        set_params(&site, &PARAMS.replace('}', ", \"max_delete\": \"all\"}")).await;
        let run = site.goshift(&["-id", "5"]);
        assert!(run.status.success(), "{to}: {}", text(&run));
        assert_eq!(found(&site, to).await, ["0", "0", "0"], "{to}");
        // Where nothing can be lost there is nothing to refuse.
        set_params(&site, PARAMS).await;
        let run = site.goshift(&["-id", "5"]);
        assert!(run.status.success(), "{to}: {}", text(&run));
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_on_the_target_s_rows_is_not_deleted() {
    for to in ENGINES {
        let site = tables("mysql", to, " PRIMARY KEY").await;
        site.task(5, ("mysql", "source"), (to, "target"), PARAMS).await;
        let child = format!(
            "CREATE TABLE child (id {0} PRIMARY KEY, parent {0}, \
             FOREIGN KEY (parent) REFERENCES target (id) ON DELETE CASCADE); \
             INSERT INTO child VALUES (1, 7)",
            id(to)
        );
        site.execute(to, &child).await;
        refused(&site, to, 1, &["truncate_insert", "child", "upsert"]).await;
        site.execute(to, "DROP TABLE child").await;
        site.execute(to, &child.replace(" ON DELETE CASCADE", "")).await;
        refused(&site, to, 1, &["emptying", "target"]).await;
        // Nobody hangs on them any more: by DELETE in PostgreSQL, which a foreign key asks for.
        site.execute(to, "DELETE FROM child").await;
        let run = site.goshift(&["-id", "5"]);
        assert!(run.status.success(), "{to}: {}", text(&run));
        assert_eq!(found(&site, to).await, ["2000", "2000", "0"], "{to}");
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_of_the_target_s_own_server_is_refused() {
    for to in ENGINES {
        let site = tables(to, to, " PRIMARY KEY").await;
        site.execute(to, "CREATE VIEW seen AS SELECT id, t FROM target").await;
        site.task(5, (to, "seen"), (to, "target"), PARAMS).await;
        refused(&site, to, 2, &["seen", "view", "mirror"]).await;
        site.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_rows_in_the_target_is_told() {
    let site = tables("mysql", "postgres", " PRIMARY KEY").await;
    site.pg("CREATE RULE kept AS ON DELETE TO target DO INSTEAD NOTHING").await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), PARAMS).await;
    refused(&site, "postgres", 1, &["are still there", "rule"]).await;
    site.remove().await;
    let site = tables("mysql", "mysql", " PRIMARY KEY").await;
    site.my("ALTER TABLE target ENGINE = MyISAM").await;
    site.task(5, ("mysql", "source"), ("mysql", "target"), PARAMS).await;
    refused(&site, "mysql", 1, &["truncate_insert", "no transactions", "InnoDB"]).await;
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_is_refused() {
    let site = tables("mysql", "postgres", " PRIMARY KEY").await;
    site.task(5, ("mysql", "source"), ("postgres", "target"), PARAMS).await;
    set_params(&site, &PARAMS.replace('}', ", \"max_delete\": \"20%\"}")).await;
    refused(&site, "postgres", 2, &["truncate_insert", "max_delete", "20 %"]).await;
    set_params(&site, &PARAMS.replace('}', ", \"mode\": \"diff\"}")).await;
    refused(&site, "postgres", 2, &["truncate_insert", "mode init"]).await;
    site.remove().await;
}

/// A few rows that are tried again are no whole table.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_rejected_rows_empties_nothing() {
    for to in ENGINES {
        let site = tables("mysql", to, " PRIMARY KEY CHECK (id <> 9)").await;
        let params = PARAMS.replace('}', ", \"max_errors\": 3}");
        site.task(5, ("mysql", "source"), (to, "target"), &params).await;
        let run = site.goshift(&["-id", "5"]);
        assert!(run.status.success(), "{to}: {}", text(&run));
        assert_eq!(found(&site, to).await, ["1999", "1999", "0"], "{to}");
        site.my("UPDATE source SET id = 10009 WHERE id = 9").await;
        let id = site.ask_one("SELECT run_id FROM goshift_run").await;
        let replay = site.goshift(&["rejected", "replay", &id]);
        assert_eq!(found(&site, to).await, ["1999", "1999", "0"], "{to}: {}", text(&replay));
        site.remove().await;
    }
}
