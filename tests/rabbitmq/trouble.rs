//! A broker that goes away, comes back, forgets or refuses.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use goshift::config::connection::Secret;
use goshift::error::Kind;
use goshift::event::Priority;
use goshift::queue::rabbitmq::{RabbitConfig, RabbitPublisher, list_dead};
use goshift::queue::{Consumer, DeadReason, Publisher};
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::broker::*;

#[tokio::test]
async fn a_cut_network_heals_by_itself() {
    with_broker(|mut config| async move {
        let network = Network::start(config.url.expose(), "127.0.0.1:0".parse().unwrap()).await;
        config.url = Secret::new(network.url.clone());
        let publisher = Arc::new(publisher(&config).await);
        let mut consumer = consumer(&config);
        publisher.publish(&event(1, Priority::Normal)).await.unwrap();
        let stale = next(&mut consumer).await;

        let events: Vec<_> = (0..3000).map(|i| event(i + 10, Priority::Low)).collect();
        let sending = {
            let (publisher, events) = (Arc::clone(&publisher), events.clone());
            tokio::spawn(async move { publisher.publish_all(&events).await })
        };
        until("some are in flight", || async { consumer.waiting().await.is_none_or(|n| n > 100) })
            .await;
        network.cut();
        assert!(sending.await.unwrap().iter().all(Result::is_ok));

        // Not acknowledged, so it comes again; the answer to the first delivery only logs.
        assert_eq!(take(&mut consumer).await.task_id, 1);
        stale.answer.ack().await;
        let mut seen = HashSet::new();
        while seen.len() < events.len() {
            seen.insert(take(&mut consumer).await.run_id);
        }

        // Idle connections recover as well.
        network.cut();
        publisher.publish(&event(2, Priority::High)).await.unwrap();
        until("it comes", || async { consumer.waiting().await.is_some() }).await;
        while take(&mut consumer).await.task_id != 2 {}
    })
    .await;
}

#[tokio::test]
async fn deleted_queues_come_back() {
    with_broker(|config| async move {
        let publisher = publisher(&config).await;
        let mut consumer = consumer(&config);
        assert!(timeout(Duration::from_millis(300), consumer.next()).await.is_err());
        let (_connection, channel) = raw(&config).await;
        for round in 0..2 {
            for queue in ["tasks", "tasks.high", "dead"] {
                let name = format!("{}.{queue}", config.prefix);
                channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.unwrap();
            }
            // Many at once: a return must not be taken for another message's.
            let mut events: Vec<_> = (0..200).map(|i| event(i, Priority::Low)).collect();
            events.push(event(1000, Priority::High));
            events.extend((300..500).map(|i| event(i, Priority::Low)));
            assert!(publisher.publish_all(&events).await.iter().all(Result::is_ok));
            let reason = DeadReason { reason: "x".into(), remedy: None, attempts: 1 };
            publisher.publish_dead(b"{}", None, &reason).await.unwrap();
            assert_eq!(list_dead(&config, 10).await.unwrap().len(), 1);
            let mut left: HashSet<_> = events.iter().map(|e| e.run_id).collect();
            while !left.is_empty() {
                left.remove(&take(&mut consumer).await.run_id);
            }
            if round == 0 {
                consumer.pause().await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_comes_later_is_found() {
    with_broker(|mut config| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let broker = config.url.expose().to_owned();
        config.url = Secret::new(through(&broker, address));

        let refused = RabbitPublisher::connect(config.clone(), "test").await.err().unwrap();
        assert_eq!(refused.kind(), Kind::Transient);
        assert!(refused.remedy().unwrap().contains("queue.url"), "{refused}");
        let publisher = RabbitPublisher::lazy(config.clone(), "test");
        let mut consumer = consumer(&config);
        assert_eq!(consumer.waiting().await, None);
        consumer.pause().await;
        let sent = event(1, Priority::Normal);
        let (confirmed, _network) =
            tokio::join!(publisher.publish(&sent), Network::start(&broker, address));
        confirmed.unwrap();
        assert_eq!(take(&mut consumer).await, sent);
    })
    .await;
}

#[tokio::test]
async fn what_only_a_person_can_repair_says_how() {
    with_broker(|config| async move {
        let changed = |change: &dyn Fn(&mut url::Url)| {
            let mut url = url::Url::parse(config.url.expose()).unwrap();
            change(&mut url);
            RabbitConfig { url: Secret::new(url.as_str()), ..config.clone() }
        };
        let password = changed(&|url| url.set_password(Some("hunter2")).unwrap());
        let vhost = changed(&|url| url.set_path("/nowhere"));
        for (config, words) in [(password, "refuses the user"), (vhost, "virtual host")] {
            let error = RabbitPublisher::connect(config, "test").await.err().unwrap();
            assert_eq!(error.kind(), Kind::Config, "{error}");
            assert!(error.to_string().contains(words), "{error}");
            assert!(error.remedy().unwrap().contains("queue.url"));
            assert!(!format!("{error:?} {error}").contains("hunter2"));
        }

        let (_connection, channel) = raw(&config).await;
        let queue = format!("{}.tasks", config.prefix);
        channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
        let durable = QueueDeclareOptions { durable: true, ..Default::default() };
        let other = channel.queue_declare(queue.as_str().into(), durable, FieldTable::default());
        other.await.unwrap();
        let error = RabbitPublisher::connect(config.clone(), "test").await.err().unwrap();
        assert_eq!(error.kind(), Kind::Config, "{error}");
        assert!(error.to_string().contains(&queue), "{error}");
    })
    .await;
}
