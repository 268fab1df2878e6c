//! Publishing, receiving, pausing and the dead queue.

use std::time::{Duration, Instant};

use goshift::event::{Event, Priority};
use goshift::queue::rabbitmq::{DeadMessage, list_dead, take_dead};
use goshift::queue::{Consumer, DeadReason, Publisher};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use tokio::time::timeout;
use uuid::Uuid;

use crate::broker::*;

#[tokio::test]
async fn an_event_arrives_with_its_id_and_its_trace() {
    with_broker(|config| async move {
        let sent = event(5, Priority::Normal);
        publisher(&config).await.publish(&sent).await.unwrap();
        let mut consumer = consumer(&config);
        let delivery = next(&mut consumer).await;
        let run_id = sent.run_id.unwrap();
        assert_eq!(Event::parse(&delivery.body).unwrap(), sent);
        assert_eq!(delivery.message_id, Some(run_id.to_string()));
        assert!(delivery.traceparent.unwrap().contains(&run_id.simple().to_string()));
        delivery.answer.ack().await;
        until("nothing waits", || async { consumer.waiting().await == Some(0) }).await;
    })
    .await;
}

#[tokio::test]
async fn any_client_may_publish_to_the_exchange_or_to_the_queue() {
    with_broker(|config| async move {
        let (_connection, channel) = raw(&config).await;
        let queue = format!("{}.tasks", config.prefix);
        for (exchange, key) in [(config.prefix.as_str(), "task"), ("", queue.as_str())] {
            let options = BasicPublishOptions::default();
            let (body, plain) = (br#"{"task_id": 5}"#, BasicProperties::default());
            let sent = channel.basic_publish(exchange.into(), key.into(), options, body, plain);
            sent.await.unwrap().await.unwrap();
        }
        let mut consumer = consumer(&config);
        for _ in 0..2 {
            assert_eq!(take(&mut consumer).await, Event::for_task(5));
        }
    })
    .await;
}

#[tokio::test]
async fn the_urgent_come_first() {
    with_broker(|config| async move {
        let order = [Priority::Low, Priority::Normal, Priority::High];
        let events: Vec<_> = (0..9).map(|i| event(i, order[i as usize % 3])).collect();
        let results = publisher(&config).await.publish_all(&events).await;
        assert!(results.iter().all(Result::is_ok));
        let mut consumer = consumer(&config);
        let mut tasks = Vec::new();
        for _ in 0..9 {
            tasks.push(take(&mut consumer).await.task_id);
        }
        assert_eq!(tasks, [2, 5, 8, 1, 4, 7, 0, 3, 6]);
    })
    .await;
}

#[tokio::test]
async fn a_delayed_event_keeps_its_priority() {
    with_broker(|config| async move {
        let publisher = publisher(&config).await;
        let mut consumer = consumer(&config);
        let start = Instant::now();
        let late = event(1, Priority::High);
        publisher.publish_delayed(&late, Duration::from_millis(1900)).await.unwrap();
        until("it is counted", || async { consumer.waiting().await == Some(1) }).await;
        assert_eq!(take(&mut consumer).await, late);
        let took = start.elapsed();
        assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(5), "{took:?}");

        let soon = event(2, Priority::Low);
        publisher.publish_delayed(&soon, Duration::from_millis(300)).await.unwrap();
        assert_eq!(take(&mut consumer).await, soon);
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_confirms_take_seconds() {
    with_broker(|config| async move {
        let publisher = publisher(&config).await;
        let events: Vec<_> = (0..10_000).map(|i| event(i, Priority::Normal)).collect();
        let start = Instant::now();
        let results = publisher.publish_all(&events).await;
        let took = start.elapsed();
        assert!(results.iter().all(Result::is_ok));
        assert!(took < Duration::from_secs(5), "{took:?}");
        let (_connection, channel) = raw(&config).await;
        assert_eq!(ready(&channel, &format!("{}.tasks", config.prefix)).await, 10_000);
    })
    .await;
}

#[tokio::test]
async fn a_paused_consumer_holds_nothing_back() {
    with_broker(|config| async move {
        let publisher = publisher(&config).await;
        let (mut busy, mut idle) = (consumer(&config), consumer(&config));
        // Both consumers are subscribed now, and the broker pushes to them in turn.
        assert!(timeout(Duration::from_millis(300), busy.next()).await.is_err());
        let sent: Vec<_> = Priority::ALL.iter().map(|p| event(1, *p)).collect();
        for event in &sent {
            publisher.publish(event).await.unwrap();
        }
        let first = next(&mut busy).await;
        busy.pause().await;
        first.answer.ack().await;
        for _ in 0..2 {
            take(&mut idle).await;
        }
        assert_eq!(idle.waiting().await, Some(0));
        // And it takes up work again.
        publisher.publish(&sent[0]).await.unwrap();
        idle.pause().await;
        assert_eq!(take(&mut busy).await, sent[0]);
    })
    .await;
}

#[tokio::test]
async fn waiting_behind_urgent_work_uses_up_no_deliveries() {
    with_broker(|config| async move {
        let publisher = publisher(&config).await;
        let mut events: Vec<_> = (1..=150).map(|i| event(i, Priority::High)).collect();
        events.push(event(0, Priority::Low));
        assert!(publisher.publish_all(&events).await.iter().all(Result::is_ok));
        let mut consumer = consumer(&config);
        for _ in 1..=150 {
            let delivery = next(&mut consumer).await;
            consumer.pause().await;
            delivery.answer.ack().await;
        }
        assert_eq!(take(&mut consumer).await.task_id, 0);
        assert_eq!(list_dead(&config, 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_dropped_consumer_gives_back_what_nobody_has_got() {
    with_broker(|config| async move {
        let publisher = publisher(&config).await;
        let (mut first, mut second) = (consumer(&config), consumer(&config));
        assert!(timeout(Duration::from_millis(300), first.next()).await.is_err());
        for priority in Priority::ALL {
            publisher.publish(&event(1, priority)).await.unwrap();
        }
        let handed_out = next(&mut first).await;
        drop(first);
        for _ in 0..2 {
            take(&mut second).await;
        }
        // A delivery outlives its consumer.
        handed_out.answer.ack().await;
        assert!(timeout(Duration::from_millis(300), second.next()).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_next_loses_nothing() {
    with_broker(|config| async move {
        let publisher = publisher(&config).await;
        let mut consumer = consumer(&config);
        let events: Vec<_> = (0..50).map(|i| event(i, Priority::Normal)).collect();
        let sending = tokio::spawn(async move { publisher.publish_all(&events).await });
        let mut tasks = Vec::new();
        let start = Instant::now();
        while tasks.len() < 50 && start.elapsed() < DEADLINE {
            let patience = Duration::from_micros(500 * (tasks.len() as u64 % 4));
            if let Ok(delivery) = timeout(patience, consumer.next()).await {
                let delivery = delivery.unwrap();
                tasks.push(Event::parse(&delivery.body).unwrap().task_id);
                delivery.answer.ack().await;
            }
        }
        assert!(sending.await.unwrap().iter().all(Result::is_ok));
        assert_eq!(tasks, (0..50).collect::<Vec<_>>());
    })
    .await;
}

fn reason(text: &str, attempts: u32) -> DeadReason {
    DeadReason { reason: text.into(), remedy: Some("repair it".into()), attempts }
}

#[tokio::test]
async fn dead_messages_are_listed_and_taken_out() {
    with_broker(|config| async move {
        let publisher = publisher(&config).await;
        let run_id = Uuid::now_v7();
        for task in 1..=5 {
            let body = Event::wake(task, run_id, Priority::Normal).body();
            let id = format!("m{task}");
            publisher.publish_dead(&body, Some(&id), &reason("broken", 3)).await.unwrap();
        }
        publisher.publish_dead(b"nonsense", None, &reason("not JSON", 0)).await.unwrap();

        for _ in 0..3 {
            let listed = list_dead(&config, 100).await.unwrap();
            let tasks: Vec<_> = listed.iter().map(|dead| dead.task_id).collect();
            assert_eq!(tasks, [Some(1), Some(2), Some(3), Some(4), Some(5), None]);
            assert_eq!(listed[0].message_id.as_deref(), Some("m1"));
            assert_eq!((listed[0].reason.as_str(), listed[0].attempts), ("broken", 3));
            assert_eq!(listed[0].remedy.as_deref(), Some("repair it"));
            assert_eq!(listed[0].run_id, Some(run_id));
            assert_eq!(listed[5].body, b"nonsense");
        }
        assert_eq!(list_dead(&config, 2).await.unwrap().len(), 2);

        let even = |dead: &DeadMessage| dead.task_id.is_some_and(|task| task % 2 == 0);
        let taken = take_dead(&config, even, 10).await.unwrap();
        assert_eq!(taken.len(), 2);
        // The others are back at once, while these are still being dealt with.
        assert_eq!(list_dead(&config, 100).await.unwrap().len(), 4);
        let mut answers = taken.into_iter().map(|(_, answer)| answer);
        answers.next().unwrap().ack().await;
        answers.next().unwrap().requeue().await;
        let remaining = || async {
            let mut tasks: Vec<_> =
                list_dead(&config, 100).await.unwrap().iter().map(|dead| dead.task_id).collect();
            tasks.sort();
            tasks == [None, Some(1), Some(3), Some(4), Some(5)]
        };
        until("the acknowledged one is gone", remaining).await;
    })
    .await;
}

#[tokio::test]
async fn what_nobody_can_take_ends_in_the_dead_queue() {
    with_broker(|config| async move {
        publisher(&config).await.publish(&event(1, Priority::Normal)).await.unwrap();
        let mut consumer = consumer(&config);
        let mut deliveries = 0;
        while let Ok(Some(delivery)) = timeout(Duration::from_secs(2), consumer.next()).await {
            delivery.answer.requeue().await;
            deliveries += 1;
        }
        assert_eq!(deliveries, 101);
        let dead = list_dead(&config, 10).await.unwrap();
        assert_eq!(dead.len(), 1);
        assert!(dead[0].reason.contains("however often"), "{}", dead[0].reason);
    })
    .await;
}
