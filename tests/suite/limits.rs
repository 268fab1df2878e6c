//! Limits that keep production databases safe, and a task's own retry policy.

mod pressure;
mod runs;
mod speed;
mod timeout;

use crate::support::Site;

/// Gives the site's target connection of this engine more entries.
fn target_with(site: &mut Site, engine: &str, entries: serde_json::Value) {
    let mut connection = site.connection(engine);
    let serde_json::Value::Object(entries) = entries else { panic!("entries are an object") };
    for (key, value) in entries {
        connection[key] = value;
    }
    site.configure(|config| config["to"][engine]["app_db"] = connection);
}
