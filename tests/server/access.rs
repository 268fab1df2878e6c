//! Who may do what.

use serde_json::json;

use crate::client::{ADMIN, READ, SUBMIT, Served};
use crate::support::Site;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_it_listens_to_this_machine_alone() {
    let mut site = Site::new("sqlite").await;
    for (section, part) in [
        (json!({"listen": "0.0.0.0:0"}), "there is no token"),
        (json!({"listen": "0.0.0.0:0", "tokens": {"admin": "short"}}), "less than 16 characters"),
        (json!({"tokens": {"read": ADMIN, "admin": ADMIN}}), "are the same"),
        (json!({"lisen": "127.0.0.1:0"}), "lisen"),
        (json!({"tokens": {"admin": "GOSHIFT_NO_SUCH_VARIABLE"}}), "GOSHIFT_NO_SUCH_VARIABLE"),
    ] {
        site.configure(|config| config["server"] = section.clone());
        let mut server = site.server();
        assert_eq!(server.ended().await, Some(2), "{section}");
        assert!(server.log().contains(part), "{section}: {}", server.log());
        assert!(!server.log().contains(ADMIN), "{}", server.log());
    }
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_may_do_what_it_is_for() {
    let served = Served::new("sqlite").await;
    let content = json!({"from": {"app": "app", "db_type": "mysql", "db": "db", "table": "t"},
                         "to": {"app": "app", "db_type": "mysql", "db": "db", "table": "u"}});
    let content = content.to_string();
    let submission = json!({"task_id": 999}).to_string();
    for (method, path, body, least) in [
        ("GET", "/api/v1/tasks", None, READ),
        ("GET", "/api/v1/runs", None, READ),
        ("GET", "/api/v1/openapi.json", None, READ),
        ("GET", "/metrics", None, READ),
        ("GET", "/api/v1/dead/messages", None, READ),
        ("POST", "/api/v1/runs", Some(submission.as_str()), SUBMIT),
        ("POST", "/api/v1/dead/rerun", Some("{}"), SUBMIT),
        ("POST", "/api/v1/tasks", Some(content.as_str()), ADMIN),
        ("POST", "/api/v1/dead/purge", Some("{}"), ADMIN),
        ("PUT", "/api/v1/pauses/fleet", Some("{}"), ADMIN),
        ("DELETE", "/api/v1/pauses/fleet", None, ADMIN),
    ] {
        let rank = |token: &str| [READ, SUBMIT, ADMIN].iter().position(|&t| t == token);
        for token in [READ, SUBMIT, ADMIN] {
            let bearer = format!("Bearer {token}");
            let answer = served.ask(method, path, body, &[("authorization", &bearer)]);
            match rank(token) >= rank(least) {
                true => assert!(![401, 403].contains(&answer.status), "{path}: {answer:?}"),
                false => answer.refused(403, "role"),
            }
        }
        served.ask(method, path, body, &[]).refused(401, "Bearer");
        served.ask(method, path, body, &[("authorization", "Bearer no")]).refused(401, "Bearer");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(served.ask("GET", path, None, &[]).expect(200)["status"], "ok");
    }
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_can_t_use_a_server_without_tokens() {
    let served = Served::with("sqlite", json!({"listen": "127.0.0.1:0"})).await;
    assert_eq!(served.ask("GET", "/api/v1/tasks", None, &[]).status, 200);
    let strange = [("host", "rebound.example")];
    served.ask("GET", "/api/v1/tasks", None, &strange).refused(403, "this machine");
    let strange = [("origin", "https://other.example")];
    served.ask("POST", "/api/v1/dead/purge", Some("{}"), &strange).refused(403, "this machine");
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_an_answer_or_the_log() {
    let served = Served::new("mysql").await;
    let site = &served.site;
    site.my("CREATE TABLE source (id int PRIMARY KEY)").await;
    // The password is right where a message could quote it.
    let mut password = site.connection("mysql")["password"].as_str().unwrap().to_owned();
    if password.is_empty() {
        password = ADMIN.to_owned();
    }
    site.task(5, ("mysql", "nowhere"), ("postgres", "t"), "").await;
    let run = served.post("/api/v1/runs", &json!({"task_id": 5})).expect(202);
    site.drain();
    let run = run["run_id"].as_str().unwrap();
    let mut seen = served.server.log();
    for path in [
        "/api/v1/tasks".to_owned(),
        "/api/v1/tasks/5".to_owned(),
        "/api/v1/runs".to_owned(),
        format!("/api/v1/runs/{run}"),
        format!("/api/v1/runs/{run}/shards"),
        format!("/api/v1/runs/{run}/events"),
        "/api/v1/workers".to_owned(),
        "/api/v1/rejected".to_owned(),
        "/api/v1/openapi.json".to_owned(),
        "/api/v1/nothing".to_owned(),
        "/metrics".to_owned(),
        "/readyz".to_owned(),
    ] {
        let answer = served.get(&path);
        assert!(answer.status < 500, "{path}: {}", answer.text);
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
        seen.push_str(&answer.text);
        seen.push_str(&format!("{:?}", answer.headers));
    }
    for secret in [READ, SUBMIT, ADMIN, &password] {
        assert!(!seen.contains(secret), "a secret shows");
    }
    served.remove().await;
}
