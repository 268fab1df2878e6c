//! TLS, as a service meets it that trusts the company's authority.

use serde_json::json;

use crate::client::{ADMIN, Served};
use crate::support::Site;

/// A certificate for this machine, signed by itself, and its key, as PEM.
fn certificate() -> (String, String) {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_nothing_goes_in_the_clear() {
    let (cert, key) = certificate();
    let folder = tempfile();
    let (cert_file, key_file) = (format!("{folder}/cert.pem"), format!("{folder}/key.pem"));
    std::fs::write(&cert_file, &cert).unwrap();
    std::fs::write(&key_file, key).unwrap();
    let served = Served::configured("sqlite", |config| {
        config["server"]["tls_cert"] = json!(cert_file);
        config["server"]["tls_key"] = json!(key_file);
    })
    .await;
    let url = served.url("/api/v1/session");
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let known = ureq::tls::Certificate::from_pem(cert.as_bytes()).unwrap();
    let trust = ureq::tls::TlsConfig::builder();
    let trust = trust.root_certs(ureq::tls::RootCerts::new_with_certs(&[known])).build();
    let agent: ureq::Agent = ureq::Agent::config_builder().tls_config(trust).build().into();
    let body = json!({"token": ADMIN}).to_string();
    let answer = agent.post(&url).content_type("application/json").send(body).unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("; Secure"), "{cookie}");
    // Who does not know the certificate is not talked to, and who speaks in the clear gets nothing.
    assert!(ureq::get(&url).call().is_err());
    assert!(ureq::get(url.replace("https", "http")).call().is_err());
    served.remove().await;
    std::fs::remove_dir_all(folder).unwrap();
}

/// A folder of this test's own.
fn tempfile() -> String {
    let folder = std::env::temp_dir().join(format!("gst_tls_{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_certificate_is_refused_at_the_start() {
    let mut site = Site::new("sqlite").await;
    for (section, part) in [
        (json!({"tls_cert": "cert.pem"}), "go together"),
        (json!({"tls_cert": "none.pem", "tls_key": "none.key"}), "none.pem"),
    ] {
        site.configure(|config| config["server"] = section.clone());
        let mut server = site.server();
        assert_eq!(server.ended().await, Some(2), "{section}");
        assert!(server.log().contains(part), "{part}: {}", server.log());
    }
    site.remove().await;
}
