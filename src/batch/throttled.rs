//! A channel under a limit.

use bytes::Bytes;

use super::*;
use crate::error::Kind;
use crate::fence::{Fence, Pulse};
use crate::throttle::Throttle;

#[tokio::test(start_paused = true)]
async fn under_a_limit_payloads_are_cut_and_nothing_is_lost() {
    let mut batch = Batch::new(2);
    for row in 0..100 {
        batch.push(row.to_string().as_bytes());
        if row % 3 == 0 { batch.push_null() } else { batch.push(b"xyz") }
    }
    let expected: Vec<_> = (0..100).map(|row| owned(&batch, row)).collect();
    let throttle = Throttle::new(std::num::NonZeroU64::new(28), None);
    let (mut sender, mut receiver) =
        throttled_channel(1, Fence::always(), Pulse::default(), throttle);
    let sending = tokio::spawn(async move {
        sender.send(Payload::Rows(batch)).await.unwrap();
        sender.finish().await.unwrap();
    });
    let mut rows = Vec::new();
    while let Some(Payload::Rows(part)) = receiver.next().await.unwrap() {
        assert!(part.rows() <= 7, "no more than a quarter of a second's rows");
        rows.extend((0..part.rows()).map(|row| owned(&part, row)));
    }
    sending.await.unwrap();
    assert_eq!(rows, expected);
}

fn owned(batch: &Batch, row: usize) -> Vec<Option<Vec<u8>>> {
    batch.row(row).map(|cell| cell.map(<[u8]>::to_vec)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_bytes_cuts_raw_payloads_and_lets_a_large_row_pass() {
    let limit = || Throttle::new(None, std::num::NonZeroU64::new(400));
    let channel = || throttled_channel(1, Fence::always(), Pulse::default(), limit());
    let (mut sender, mut receiver) = channel();
    let sending = tokio::spawn(async move {
        sender.send(Payload::Raw(Bytes::from(vec![7; 1050]))).await.unwrap();
        let mut row = Batch::new(1);
        row.push(&[7; 1000]);
        sender.send(Payload::Rows(row)).await.unwrap();
    });
    let mut sizes = Vec::new();
    while let Ok(Some(payload)) = receiver.next().await {
        sizes.push(payload.bytes());
    }
    sending.await.unwrap();
    assert_eq!(sizes, [100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 50, 1000]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_the_limit_beats_and_ends_with_its_writer() {
    let throttle = Throttle::new(std::num::NonZeroU64::new(1), None);
    throttle.pass(1_000_000, 0, &Pulse::default()).await;
    let pulse = Pulse::default();
    let (mut sender, receiver) = throttled_channel(1, Fence::always(), pulse.clone(), throttle);
    let mut row = Batch::new(1);
    row.push(b"x");
    let mut sending = Box::pin(sender.send(Payload::Rows(row)));
    assert!(futures::poll!(&mut sending).is_pending());
    drop(receiver);
    assert_eq!(sending.await.unwrap_err().kind(), Kind::Cancelled);
}
