//! The OpenAPI document says what the server does.

use serde_json::Value;

use crate::client::Served;

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_served_printed_and_whole() {
    let served = Served::new("sqlite").await;
    let document = served.get("/api/v1/openapi.json").expect(200);
    let printed = served.site.command("goshift-server", &["--openapi"]).output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&printed.stdout).unwrap(), document);
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (path, method, operation))
    });
    let mut names = std::collections::HashSet::new();
    for (path, method, operation) in operations {
        let place = format!("{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        let is_open = path == "/healthz" || path == "/readyz";
        assert_eq!(responses.contains_key("401"), !is_open, "{place}");
        assert!(responses.keys().any(|status| status.starts_with('2')), "{place}");
        assert!(operation["summary"].is_string(), "{place}");
        assert!(
            names.insert(operation["operationId"].to_string()),
            "{place}: its name is another's"
        );
        let placeholders = path.matches('{').count();
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
        assert_eq!(in_path, placeholders, "{place}");
    }
    assert!(names.len() >= 20, "{names:?}");
    served.remove().await;
}
