//! `pre_sql` and `post_sql`: once a run, wherever a worker dies.

use crate::scene::{Scene, on_each};

#[tokio::test(flavor = "multi_thread")]
async fn statements_run_once_wherever_the_worker_dies() {
    // At the second passing it is post_sql's turn.
    for point in
        ["step.before_commit", "step.committed", "step.before_commit@2", "step.committed@2"]
    {
        on_each(|engine| async move {
            let scene = Scene::keyed(engine).await;
            let said = "CREATE TABLE said (at varchar(10))";
            scene.site.execute(scene.target, said).await;
            let params = r#"{"read_batch": 100, "worker_num": 2,
                "pre_sql": "INSERT INTO said VALUES (''pre'')",
                "post_sql": ["INSERT INTO said VALUES (''post'')", "DELETE FROM target WHERE id = 7"]}"#;
            let tasks = format!("UPDATE task_def_sync_manager SET params = '{params}'");
            scene.site.tasks(&tasks).await;
            let (name, at) = point.split_once('@').unwrap_or((point, "1"));
            let worker =
                scene.site.faulty_worker("doomed", &[], &format!("{name}=kill@{at}"));
            let run = scene.site.submitted(&["5"]).remove(0);
            crate::scene::died(worker).await;
            let worker = scene.site.worker("sound", &[]);
            scene.site.wait_for(&run, "succeeded").await;
            drop(worker);
            let rows = scene.site.rows(scene.target, "SELECT at FROM said ORDER BY at DESC").await;
            assert_eq!(rows, [["pre"], ["post"]], "{engine}, {point}");
            let count = "SELECT CAST(COUNT(*) AS CHAR(9)) FROM target";
            let rows = scene.site.rows(scene.target, count).await.remove(0).remove(0);
            assert_eq!(rows.trim(), "999", "{engine}, {point}");
            scene.site.remove().await;
        })
        .await;
    }
}
