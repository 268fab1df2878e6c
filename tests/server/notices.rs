//! Notices reach a real receiver: signed, once, until it has them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::client::{Served, on_each};
use crate::support::{Site, eventually};

/// Planted: it may stand in no log.
const TOKEN: &str = "planted-robot-token-55aa";
const SECRET: &str = "planted-hook-secret-91bc";

/// What has come in.
#[derive(Clone, Debug)]
struct Received {
    path: String,
    query: HashMap<String, String>,
    headers: HashMap<String, String>,
    body: String,
}

impl Received {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Default)]
struct Inbox {
    received: Vec<Received>,
    /// Answers to the next requests, before all is well.
    answers: Vec<(u16, &'static str)>,
}

/// A receiver of notices.
#[derive(Clone)]
struct Receiver {
    inbox: Arc<Mutex<Inbox>>,
    address: SocketAddr,
}

async fn take(State(inbox): State<Arc<Mutex<Inbox>>>, request: Request) -> (StatusCode, String) {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
    let query = parts.uri.query().unwrap_or_default();
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
    let mut inbox = inbox.lock().unwrap();
    inbox.received.push(Received {
        path: parts.uri.path().to_owned(),
        query,
        headers: headers.collect(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let (status, text) = match inbox.answers.is_empty() {
        true => (200, r#"{"errcode":0,"errmsg":"ok"}"#),
        false => inbox.answers.remove(0),
    };
    (StatusCode::from_u16(status).unwrap(), text.to_owned())
}

impl Receiver {
    async fn start() -> Self {
        let inbox = Arc::<Mutex<Inbox>>::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(take).with_state(Arc::clone(&inbox));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inbox, address }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn answer(&self, status: u16, text: &'static str) {
        self.inbox.lock().unwrap().answers.push((status, text));
    }

    fn all(&self, path: &str) -> Vec<Received> {
        let received = self.inbox.lock().unwrap().received.clone();
        received.into_iter().filter(|one| one.path == path).collect()
    }

    async fn has(&self, path: &str, count: usize) -> Vec<Received> {
        let what = format!("{count} notices at {path}");
        eventually(&what, || async { self.all(path).len() >= count }).await;
        self.all(path)
    }
}

/// A site that tells the receiver by all three kinds of channels.
async fn told(engine: &'static str, receiver: &Receiver, more: Value) -> Served {
    let mut notices = json!({"page": "https://goshift.example/", "channels": [
        {"name": "ops", "type": "webhook", "url": receiver.url("/hook"), "secret": SECRET},
        {"name": "slack", "type": "slack", "url": receiver.url("/slack"), "on": ["failed"]}]});
    notices.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let robot = json!({"token": TOKEN, "secret": SECRET, "atMobiles": ["18800008263"],
                       "isAtAll": false, "roboter_type": "dingding", "hook_keyword": "任务报警",
                       "url": receiver.url("/robot/send")});
    let served = Served::configured(engine, |config| {
        config["notices"] = notices;
        config["roboter"] = robot;
    })
    .await;
    let site = &served.site;
    site.my("CREATE TABLE source (id int PRIMARY KEY); INSERT INTO source VALUES (1), (2)").await;
    site.task(5, ("mysql", "nowhere"), ("postgres", "target"), "").await;
    served
}

fn run(site: &Site) -> String {
    let run = site.submitted(&["5"]).remove(0);
    site.drain();
    run
}

fn signed(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_once_and_so_is_the_recovery() {
    on_each(|engine| async move {
        let receiver = Receiver::start().await;
        let served = told(engine, &receiver, json!({})).await;
        let site = &served.site;
        let second = site.another_server("server2");
        let failed = run(site);
        let hooks = receiver.has("/hook", 1).await;
        let hook = hooks[0].json();
        assert_eq!((&hook["kind"], &hook["run"]["run_id"]), (&json!("failed"), &json!(failed)));
        assert_eq!(hook["task"]["to"]["table"], "target", "{engine}");
        assert_eq!(hook["link"], format!("https://goshift.example/#/runs/{failed}"), "{engine}");
        let header = |name: &str| hooks[0].headers[name].clone();
        let text =
            format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), hooks[0].body);
        assert_eq!(header("webhook-signature"), format!("v1,{}", signed(SECRET, &text)));

        let robot = receiver.has("/robot/send", 1).await.remove(0);
        let text = robot.json()["markdown"]["text"].as_str().unwrap().to_owned();
        for part in ["任务报警", "任务 5 失败", "nowhere", "@18800008263"] {
            assert!(text.contains(part), "{engine}: {part}: {text}");
        }
        assert_eq!(robot.json()["at"]["atMobiles"], json!(["18800008263"]), "{engine}");
        assert_eq!(robot.query["access_token"], TOKEN);
        let sign = signed(SECRET, &format!("{}\n{SECRET}", robot.query["timestamp"]));
        assert_eq!(robot.query["sign"], sign, "{engine}");
        let slack = receiver.has("/slack", 1).await.remove(0).json();
        assert!(slack["text"].as_str().unwrap().contains("task 5 has failed"), "{slack}");

        // It goes on failing: nobody is told again. Then it recovers.
        run(site);
        site.my("CREATE TABLE nowhere (id int PRIMARY KEY)").await;
        run(site);
        let hooks = receiver.has("/hook", 2).await;
        assert_eq!(hooks[1].json()["kind"], "recovered", "{engine}");
        let sent = "SELECT COUNT(*) FROM goshift_notice WHERE state = 'sent'";
        eventually("both are noted as sent", || async { site.ask_one(sent).await == "2" }).await;
        run(site);
        let open = "SELECT COUNT(*) FROM goshift_notice WHERE state <> 'sent'";
        assert_eq!(site.ask_one(open).await, "0", "{engine}");
        assert_eq!(receiver.all("/hook").len(), 2, "{engine}");
        assert_eq!(receiver.all("/slack").len(), 1, "{engine}: only failures are for it");
        for log in [served.server.log(), second.log()] {
            assert!(!log.contains(TOKEN) && !log.contains(SECRET), "{engine}: a secret shows");
        }
        drop(second);
        served.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_refuses_is_tried_again_and_only_there() {
    let receiver = Receiver::start().await;
    receiver.answer(500, "");
    receiver.answer(200, "ok");
    receiver.answer(200, r#"{"errcode":130101,"errmsg":"send too fast"}"#);
    let served = told("mysql", &receiver, json!({})).await;
    run(&served.site);
    // In the order of the channels: the webhook fails, Slack takes it, the robot refuses.
    receiver.has("/hook", 2).await;
    receiver.has("/robot/send", 2).await;
    let sent = "SELECT COUNT(*) FROM goshift_notice WHERE state = 'sent'";
    eventually("it is noted as sent", || async { served.site.ask_one(sent).await == "1" }).await;
    assert_eq!(receiver.all("/slack").len(), 1);
    let hooks = receiver.all("/hook");
    assert_eq!(hooks[0].headers["webhook-id"], hooks[1].headers["webhook-id"]);
    let log = served.server.log();
    assert!(log.contains("500") && log.contains("send too fast"), "{log}");
    assert!(!log.contains(TOKEN) && !log.contains("127.0.0.1:9"), "{log}");
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_whose_sender_dies_is_sent_by_another() {
    let receiver = Receiver::start().await;
    let mut site = Site::new("sqlite").await;
    let hook = json!({"type": "webhook", "url": receiver.url("/hook")});
    site.configure(|config| {
        config["notices"] = json!({"channels": [hook]});
        config["server"] = json!({"listen": "127.0.0.1:0"});
    });
    site.task(5, ("mysql", "nowhere"), ("postgres", "target"), "").await;
    let mut dies = site.faulty_server("dies", "notice.claimed=kill");
    run(&site);
    assert_eq!(dies.ended().await, None, "it was killed: {}", dies.log());
    assert!(receiver.all("/hook").is_empty());
    let other = site.another_server("other");
    receiver.has("/hook", 1).await;
    let sent = "SELECT tries FROM goshift_notice WHERE state = 'sent'";
    eventually("it is noted as sent", || async { site.ask_one(sent).await == "2" }).await;
    assert_eq!(receiver.all("/hook").len(), 1);
    drop(other);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_of_a_run_that_was_deleted_holds_nobody_up() {
    let receiver = Receiver::start().await;
    let mut site = Site::new("sqlite").await;
    let hook = json!({"type": "webhook", "url": receiver.url("/hook")});
    site.configure(|config| {
        config["notices"] = json!({"channels": [hook]});
        config["server"] = json!({"listen": "127.0.0.1:0"});
    });
    site.task(5, ("mysql", "nowhere"), ("postgres", "target"), "").await;
    site.task(6, ("mysql", "nowhere"), ("postgres", "target"), "").await;
    run(&site);
    site.tasks("DELETE FROM goshift_run").await;
    let told = site.submitted(&["6"]).remove(0);
    site.drain();
    let server = site.server();
    let hooks = receiver.has("/hook", 1).await;
    assert_eq!(hooks[0].json()["run"]["run_id"], told);
    let state = "SELECT state FROM goshift_notice WHERE task_id = 5";
    eventually("the other is given up", || async { site.ask_one(state).await == "given_up" }).await;
    assert!(server.log().contains("a notice is given up"), "{}", server.log());
    drop(server);
    site.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_long_runs_are_told_of_once() {
    let receiver = Receiver::start().await;
    let more = json!({"late_after": "1s", "long_after": "1s"});
    let served = told("postgres", &receiver, more).await;
    let site = &served.site;
    let run = site.submitted(&["5"]).remove(0);
    let hooks = receiver.has("/hook", 1).await;
    assert_eq!(
        (&hooks[0].json()["kind"], &hooks[0].json()["run"]["run_id"]),
        (&json!("late"), &json!(run))
    );
    site.my("RENAME TABLE source TO nowhere").await;
    site.pg("CREATE TABLE target (id int PRIMARY KEY)").await;
    let lock = site.lock("LOCK TABLE target IN EXCLUSIVE MODE").await;
    let worker = site.worker("w", &[]);
    let hooks = receiver.has("/hook", 2).await;
    assert_eq!(hooks[1].json()["kind"], "long");
    lock.release().await;
    site.wait_for(&run, "succeeded").await;
    let kinds = "SELECT COUNT(*) FROM goshift_notice";
    assert_eq!(site.ask_one(kinds).await, "2");
    drop(worker);
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_can_t_work_is_refused_at_the_start() {
    let mut site = Site::new("sqlite").await;
    for (notices, robot, part) in [
        (
            json!({"channels": [{"type": "webhook", "url": "ops"}]}),
            json!(null),
            "notices.channels[0].url",
        ),
        (json!({"channels": [{"type": "dingtalk"}]}), json!(null), "no token"),
        (json!({"channels": [{"type": "pigeon", "url": "http://a"}]}), json!(null), "pigeon"),
        (json!({"chanels": []}), json!(null), "channels"),
        (json!({}), json!({"token": TOKEN, "roboter_type": "wechat"}), "wechat"),
        (json!({}), json!({"token": "NO_SUCH_ROBOT_TOKEN"}), "NO_SUCH_ROBOT_TOKEN"),
    ] {
        site.configure(|config| {
            config["notices"] = notices.clone();
            match robot.is_null() {
                true => drop(config.as_object_mut().unwrap().remove("roboter")),
                false => config["roboter"] = robot.clone(),
            }
        });
        let mut server = site.server();
        assert_eq!(server.ended().await, Some(2), "{notices}");
        assert!(server.log().contains(part), "{part}: {}", server.log());
        assert!(!server.log().contains(TOKEN), "{}", server.log());
    }
    site.remove().await;
}
