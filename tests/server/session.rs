//! A browser's session, and the page's own files.

use serde_json::json;

use crate::client::{ADMIN, Answer, READ, Served};

/// The cookie that an answer sets, as the browser sends it back.
fn cookie(answer: &Answer) -> String {
    let set = answer.headers["set-cookie"].to_str().unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(attribute), "{set}");
    }
    set.split(';').next().unwrap().to_owned()
}

fn sign_in(served: &Served, token: &str) -> Answer {
    let body = json!({"token": token}).to_string();
    served.ask("POST", "/api/v1/session", Some(&body), &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_signs_in_acts_with_its_proof_and_signs_out() {
    let served = Served::new("sqlite").await;
    sign_in(&served, "a-wrong-token-of-some-length").refused(401, "token");
    served.ask("GET", "/api/v1/session", None, &[]).refused(401, "token");

    let answer = sign_in(&served, ADMIN);
    let who = answer.expect(200);
    assert_eq!((&who["role"], &who["by"]), (&json!("admin"), &json!("session")));
    let (cookie, csrf) = (cookie(&answer), who["csrf"].as_str().unwrap().to_owned());
    assert!(!answer.text.contains(ADMIN) && !cookie.contains(ADMIN));
    let cookie = ("cookie", cookie.as_str());
    let shown = served.ask("GET", "/api/v1/session", None, &[cookie]).expect(200);
    assert_eq!(shown["csrf"], csrf.as_str());
    assert_eq!(served.ask("GET", "/api/v1/tasks", None, &[cookie]).status, 200);

    let pause =
        |headers: &[(&str, &str)]| served.ask("PUT", "/api/v1/pauses/fleet", Some("{}"), headers);
    pause(&[cookie]).refused(403, "X-CSRF-Token");
    pause(&[cookie, ("x-csrf-token", "0123")]).refused(403, "X-CSRF-Token");
    pause(&[cookie, ("x-csrf-token", &csrf)]).status_is(204);
    // Another session's proof is none.
    let other = sign_in(&served, ADMIN).expect(200)["csrf"].as_str().unwrap().to_owned();
    pause(&[cookie, ("x-csrf-token", &other)]).refused(403, "X-CSRF-Token");

    let out = served.ask("DELETE", "/api/v1/session", None, &[cookie, ("x-csrf-token", &csrf)]);
    assert_eq!(out.status, 204);
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_its_token_s_role() {
    let served = Served::new("sqlite").await;
    let answer = sign_in(&served, READ);
    let csrf = answer.expect(200)["csrf"].as_str().unwrap().to_owned();
    let cookie = cookie(&answer);
    let headers = [("cookie", cookie.as_str()), ("x-csrf-token", csrf.as_str())];
    served.ask("PUT", "/api/v1/pauses/fleet", Some("{}"), &headers).refused(403, "role admin");
    let forged = cookie.replacen("read", "admin", 1);
    let headers = [("cookie", forged.as_str()), ("x-csrf-token", csrf.as_str())];
    served.ask("PUT", "/api/v1/pauses/fleet", Some("{}"), &headers).refused(401, "token");
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_s_files_are_served_to_anybody_and_allow_nothing_foreign() {
    let served = Served::new("sqlite").await;
    let page = served.ask("GET", "/", None, &[]);
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
    assert!(!page.text.contains("style=") && !page.text.contains("onclick"), "{}", page.text);
    // Whatever the page names, the binary has.
    let named = page.text.split('"').filter(|text| text.starts_with("assets/"));
    let named: Vec<_> = named.map(|path| format!("/{path}")).collect();
    assert!(named.len() >= 2, "{}", page.text);
    for path in &named {
        let file = served.ask("GET", path, None, &[]);
        assert_eq!(file.status, 200, "{path}");
        let tag = file.headers["etag"].to_str().unwrap();
        let again = served.ask("GET", path, None, &[("if-none-match", tag)]);
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{path}");
    }
    served.ask("GET", "/assets/nothing.js", None, &[]).refused(404, "no such file");
    served.ask("GET", "/assets/..%2Fmod.rs", None, &[]).refused(404, "no such file");
    served.remove().await;
}
