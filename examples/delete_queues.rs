//! Removes the queues and exchanges of a configuration from its broker, messages included:
//! `bench/overhead` cleans up with it.
//!
//! `cargo run --example delete_queues -- etc/ENV.json`

use std::path::Path;

use goshift::config::Settings;
use goshift::queue::rabbitmq;
use goshift::submit;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file] = arguments.as_slice() else {
        return Err("usage: delete_queues etc/ENV.json".into());
    };
    let file = Path::new(file);
    let (Some(folder), Some(env)) = (file.parent(), file.file_stem().and_then(|s| s.to_str()))
    else {
        return Err(format!("{} is not a configuration file", file.display()).into());
    };
    let settings = Settings::load(folder, env, true)?;
    if let Some(config) = submit::broker(&settings)? {
        rabbitmq::delete(&config).await?;
    }
    Ok(())
}
