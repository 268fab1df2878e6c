//! Tasks over HTTP.

use serde_json::{Value, json};

use crate::client::{Served, on_each};

fn content(table: &str) -> Value {
    json!({"from": {"app": "app", "db_type": "mysql", "db": "db", "table": table},
           "to": {"app": "app", "db_type": "postgres", "db": "db", "table": table},
           "params": {"worker_num": 3}, "description": "夜间同步", "owner": "Li 100%"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_created_found_edited_and_put_offline() {
    on_each(|engine| async move {
        let served = Served::new(engine).await;
        let answer = served.post("/api/v1/tasks", &content("orders"));
        let created = answer.expect(201);
        let id = created["id"].as_i64().unwrap();
        let path = format!("/api/v1/tasks/{id}");
        assert_eq!(answer.headers["location"], path.as_str(), "{engine}");
        assert_eq!(created, served.get(&path).expect(200), "{engine}");
        assert_eq!(created["params"], json!({"worker_num": 3}), "{engine}");
        assert_eq!(created["description"], "夜间同步", "{engine}");

        let mut other = content("lineitem");
        other["online"] = json!(false);
        assert_eq!(served.put(&path, &other).expect(200)["from"]["table"], "lineitem");
        assert_eq!(served.put(&path, &other).expect(200)["online"], false, "again, unchanged");
        let row =
            format!("SELECT online_status, to_table FROM task_def_sync_manager WHERE id = {id}");
        assert_eq!(served.site.ask(&row).await, [["0", "lineitem"]], "{engine}");
        served.post("/api/v1/runs", &json!({"task_id": id})).refused(409, "offline");
        let online = format!("{path}/online");
        assert_eq!(served.put(&online, &json!({"online": true})).expect(200)["online"], true);
        served.post("/api/v1/runs", &json!({"task_id": id})).expect(202);

        served.get("/api/v1/tasks/4711").refused(404, "4711");
        served.put("/api/v1/tasks/4711", &content("t")).refused(404, "4711");
        served.put("/api/v1/tasks/4711/online", &json!({"online": true})).refused(404, "4711");
        served.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_run_could_do_is_not_saved() {
    let served = Served::new("mysql").await;
    let with = |path: &str, value: Value| {
        let mut content = content("t");
        *content.pointer_mut(path).unwrap() = value;
        served.post("/api/v1/tasks", &content)
    };
    with("/params", json!({"worker_nun": 3})).refused(422, "worker_num");
    with("/params", json!({"write_mode": "insert", "mode": "diff"})).refused(422, "write_mode");
    with("/from/db_type", json!("oracle")).refused(422, "oracle");
    with("/from/table", json!(" ")).refused(422, "from_table");
    with("/to/app", json!("elsewhere")).refused(422, "elsewhere");
    with("/params", json!([])).refused(400, "params");
    with("/owner", json!(3)).refused(400, "owner");
    let extra = json!({"from": {}, "too": {}});
    served.post("/api/v1/tasks", &extra).refused(400, "app");
    let auth = format!("Bearer {}", crate::client::ADMIN);
    let auth = ("authorization", auth.as_str());
    served.ask("POST", "/api/v1/tasks", Some("{"), &[auth]).refused(400, "EOF");
    served.ask("POST", "/api/v1/tasks", None, &[auth]).refused(415, "Content-Type");
    let large = format!("\"{}\"", "x".repeat(1_050_000));
    served.ask("POST", "/api/v1/tasks", Some(&large), &[auth]).refused(413, "limit");
    served.ask("PATCH", "/api/v1/tasks", None, &[auth]).refused(405, "Allow");
    served.get("/api/v1/tusks").refused(404, "openapi.json");
    served.get("/api/v1/tasks/five").refused(400, "five");
    let none = "SELECT COUNT(*) FROM task_def_sync_manager";
    assert_eq!(served.site.ask_one(none).await, "0");
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_listed_in_pages_and_by_what_is_in_them() {
    on_each(|engine| async move {
        let served = Served::new(engine).await;
        let mut ids = Vec::new();
        for n in 0..7 {
            let task = served.post("/api/v1/tasks", &content(&format!("Table_{n}"))).expect(201);
            ids.push(task["id"].as_i64().unwrap());
        }
        let mut met = Vec::new();
        let mut path = "/api/v1/tasks?limit=3".to_owned();
        let mut pages = 0;
        loop {
            let page = served.get(&path).expect(200);
            met.extend(page["items"].as_array().unwrap().iter().map(|t| t["id"].as_i64().unwrap()));
            pages += 1;
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/v1/tasks?limit=3&after={next}");
        }
        assert_eq!((met, pages), (ids.clone(), 3), "{engine}");
        let found = |query: &str| {
            let page = served.get(&format!("/api/v1/tasks?{query}")).expect(200);
            page["items"].as_array().unwrap().len()
        };
        assert_eq!(found("q=tABLE_4"), 1, "{engine}: whatever the case");
        assert_eq!(found("q=e%5F"), 7, "{engine}: an underscore stands for itself");
        assert_eq!(found("q=tablex4"), 0, "{engine}");
        assert_eq!(found("q=100%25"), 7, "{engine}: so does a percent sign");
        let path = format!("/api/v1/tasks/{}/online", ids[2]);
        served.put(&path, &json!({"online": false})).expect(200);
        assert_eq!((found("online=false"), found("online=true")), (1, 6), "{engine}");
        assert_eq!(found("status=failed"), 0, "{engine}");
        served.get("/api/v1/tasks?status=broken").refused(422, "broken");
        served.get("/api/v1/tasks?limits=3").refused(400, "limits");
        served.remove().await;
    })
    .await;
}
