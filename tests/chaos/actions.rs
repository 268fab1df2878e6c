//! Carries out what the plan says, and heals it.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::QueuePurgeOptions;
use lapin::{Connection, ConnectionProperties};
use tokio::task::JoinSet;

use crate::plan::{Action, Net, Step};
use crate::world::{Server, World};

/// For one question to the broker.
const ANSWER: Duration = Duration::from_secs(10);

/// Carries out each step at its time. Returns when the last is healed.
pub async fn carry_out(world: &Arc<World>, steps: Vec<Step>) {
    let mut running = JoinSet::new();
    for step in steps {
        tokio::time::sleep_until((world.started + step.at).into()).await;
        let world = Arc::clone(world);
        running.spawn(async move { world.act(step.action).await });
    }
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            world.broken(format!("an action of the driver itself failed: {error}"));
        }
    }
}

impl World {
    async fn act(&self, action: Action) {
        *self.done.lock().unwrap().entry(action.kind()).or_default() += 1;
        match action {
            Action::Kill { worker, back } => self.kill(worker, back).await,
            Action::Pause { worker, length } => self.pause(worker, length).await,
            Action::Term { worker, back } => self.term(worker, back).await,
            Action::Net { server, net, length } => self.net(server, net, length).await,
            Action::Stop { server, length } => self.stop_and_start(server, length).await,
            Action::Purge | Action::Delete | Action::CloseConnections | Action::Alarm { .. } => {
                self.broker(action).await;
            }
        }
    }

    async fn net(&self, server: Server, net: Net, length: Duration) {
        let _turn = self.turns[server as usize].lock().await;
        let (proxy, trouble) = (&self.proxies[server as usize], self.trouble(server));
        let what = match net {
            Net::Delay(delay) => {
                proxy.delay(delay);
                format!("delay of {delay:?}")
            }
            Net::Cut => {
                proxy.cut();
                "cut".to_owned()
            }
            Net::HalfClose => {
                proxy.half_close();
                "half-closed".to_owned()
            }
            Net::Freeze => {
                proxy.freeze();
                "frozen".to_owned()
            }
        };
        self.say(&format!("the way to {}: {what}, {:.1} s", server.name(), length.as_secs_f64()));
        tokio::time::sleep(length).await;
        proxy.restore();
        self.trouble_over(trouble);
        self.say(&format!("the way to {}: restored", server.name()));
    }

    async fn stop_and_start(&self, server: Server, length: Duration) {
        let _turn = self.turns[server as usize].lock().await;
        let trouble = self.trouble(server);
        self.say(&format!("{} stops", server.name()));
        if let Err(error) = self.services.stop(server).await {
            self.say(&format!("it can't be stopped: {error}"));
        } else {
            self.say(&format!("{} is stopped, for {:.1} s", server.name(), length.as_secs_f64()));
            tokio::time::sleep(length).await;
        }
        match self.services.start(server).await {
            Ok(()) => self.say(&format!("{} is back", server.name())),
            Err(error) => self.broken(format!("{} can't be started: {error}", server.name())),
        }
        self.trouble_over(trouble);
    }

    async fn broker(&self, action: Action) {
        let _turn = self.turns[Server::Broker as usize].lock().await;
        let done = match action {
            Action::Purge => {
                self.say("the queues are purged");
                tokio::time::timeout(ANSWER, self.purge()).await.unwrap_or(Err("no answer".into()))
            }
            Action::Delete => {
                self.say("queues and exchanges are deleted");
                let rabbit = self.site.rabbit();
                let deleting = goshift::queue::rabbitmq::delete(&rabbit);
                match tokio::time::timeout(ANSWER, deleting).await {
                    Ok(deleted) => deleted.map_err(|error| error.to_string()),
                    Err(_) => Err("no answer".into()),
                }
            }
            Action::CloseConnections => {
                self.say("the broker closes all connections");
                self.services.close_connections().await
            }
            Action::Alarm { length } => self.alarm(length).await,
            _ => Ok(()),
        };
        if let Err(error) = done {
            self.say(&format!("left out: {error}"));
        }
    }

    async fn alarm(&self, length: Duration) -> Result<(), String> {
        self.say(&format!("the broker's memory alarm, {:.1} s", length.as_secs_f64()));
        let on = self.services.alarm(true).await;
        if on.is_ok() {
            tokio::time::sleep(length).await;
        }
        let off = self.services.alarm(false).await;
        if let Err(error) = off {
            self.broken(format!("the memory alarm can't be taken back: {error}"));
        }
        self.say("the memory alarm is over");
        on
    }

    /// Past goshift: each queue of this site's prefix.
    async fn purge(&self) -> Result<(), String> {
        let rabbit = self.site.rabbit();
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(rabbit.url.expose(), properties).await;
        let connection = connection.map_err(|error| error.to_string())?;
        let delays = ["1s", "5s", "10s", "30s"].map(|delay| format!("retry.{delay}"));
        let tasks = ["tasks.high", "tasks", "tasks.low", "dead"].map(str::to_owned);
        let mut channel = connection.create_channel().await.map_err(|error| error.to_string())?;
        for queue in tasks.into_iter().chain(delays) {
            let name = format!("{}.{queue}", rabbit.prefix);
            let purged = channel.queue_purge(name.as_str().into(), QueuePurgeOptions::default());
            if purged.await.is_err() {
                // It is not there, and the broker has closed the channel.
                self.say(&format!("there was no queue {queue} to purge"));
                channel = connection.create_channel().await.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}
