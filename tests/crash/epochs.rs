//! The ledger itself refuses who has lost a claim, whatever that process believes; and it has an
//! end of its own only for what is complete.

use std::time::Duration;

use goshift::config::Settings;
use goshift::error::{Error, Kind};
use goshift::ledger::{Claim, ClaimOutcome, Cut, Ending, Holder, Ledger, RunLimits};
use goshift::plugin::{KeyRange, Receipt};

use crate::scene::{Scene, on_each};
use crate::support::Site;

const LEASE: Duration = Duration::from_secs(60);

async fn ledger(site: &Site) -> Ledger {
    let settings = Settings::load(&site.folder.join("etc"), "test", true).unwrap();
    Ledger::open(&settings).await.unwrap()
}

fn cut(first: u64, ranges: &[KeyRange], holder: Holder) -> Cut<'_> {
    Cut { first, ranges, last: true, holder, note: None }
}

async fn joined(ledger: &Ledger, run: &str, worker: &str) -> Claim {
    ledger.participate(run.parse().unwrap(), worker, LEASE).await.unwrap().unwrap()
}

async fn claimed(ledger: &Ledger, run: &str, worker: &str) -> Claim {
    let run = run.parse().unwrap();
    match ledger.claim(run, worker, LEASE, &RunLimits::default()).await.unwrap() {
        ClaimOutcome::Claimed(claim) => claim,
        other => panic!("{other:?}"),
    }
}

fn refused<T>(written: Result<T, Error>, kind: Kind, what: &str) {
    match written {
        Ok(_) => panic!("{what} was written"),
        Err(error) => assert_eq!(error.kind(), kind, "{what}: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_past_epoch_writes_is_refused_and_an_open_shard_is_no_success() {
    on_each(|engine| async move {
        let scene = Scene::keyed(engine).await;
        let site = &scene.site;
        let run = site.submitted(&["5"]).remove(0);
        let ledger = ledger(site).await;
        let first = claimed(&ledger, &run, "first").await;
        let all = [KeyRange::All];
        ledger.record_shards(&first, cut(0, &all, Holder::Owner)).await.unwrap();
        site.tasks("UPDATE goshift_run SET lease_until = '2000-01-01 00:00:00'").await;
        let second = claimed(&ledger, &run, "second").await;
        assert_eq!((first.epoch, second.epoch), (1, 2), "{engine}");

        let done = [(0, Receipt { rows: 1, ..Receipt::default() })];
        refused(ledger.renew(&first, LEASE).await, Kind::LeaseLost, "a renewal");
        let shards = ledger.record_shards(&first, cut(1, &all, Holder::Owner)).await;
        refused(shards, Kind::LeaseLost, "a shard");
        refused(ledger.complete_shards(&first, &done).await, Kind::LeaseLost, "a shard's end");
        let cancelled = ledger.end(&first, &Ending::Cancelled, &[]).await;
        refused(cancelled, Kind::LeaseLost, "an end");

        let ended = ledger.end(&first, &Ending::Succeeded, &done).await;
        refused(ended, Kind::LeaseLost, "an end with its shard");

        let early = ledger.end(&second, &Ending::Succeeded, &[]).await;
        refused(early, Kind::Internal, "a success with an open shard");
        assert_eq!(site.state(&run).await, "running", "{engine}");
        ledger.stored_shards(&second).await.unwrap();
        let shards = ledger.claim_shards(&second, 2).await.unwrap().shards;
        assert_eq!(shards, [(0, KeyRange::All)], "{engine}");
        ledger.end(&second, &Ending::Succeeded, &done).await.unwrap();
        assert_eq!(site.path(&run).await, ["submitted", "running", "running", "succeeded"]);
        scene.site.remove().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_s_shards_outlive_an_owner_but_not_its_own_lease() {
    on_each(|engine| async move {
        let scene = Scene::keyed(engine).await;
        let site = &scene.site;
        let run = site.submitted(&["5"]).remove(0);
        let ledger = ledger(site).await;
        let first = claimed(&ledger, &run, "first").await;
        let ranges = [KeyRange::All, KeyRange::Nulls, KeyRange::All];
        ledger.record_shards(&first, cut(0, &ranges, Holder::Nobody)).await.unwrap();
        ledger.share(&first, 3).await.unwrap();
        let (early, late) =
            (joined(&ledger, &run, "early").await, joined(&ledger, &run, "late").await);
        let number = |shard: &(u64, KeyRange)| shard.0;
        for (part, held) in [(&early, 0), (&late, 1)] {
            let shards = ledger.claim_shards(part, 1).await.unwrap().shards;
            assert_eq!(shards.iter().map(number).collect::<Vec<_>>(), [held], "{engine}");
        }
        site.tasks("UPDATE goshift_run SET lease_until = '2000-01-01 00:00:00'").await;
        let second = claimed(&ledger, &run, "second").await;
        ledger.stored_shards(&second).await.unwrap();
        let left = ledger.claim_shards(&second, 3).await.unwrap().shards;
        assert_eq!(
            left.iter().map(number).collect::<Vec<_>>(),
            [2],
            "{engine}: the rest is theirs"
        );
        ledger.complete_shards(&early, &[(0, Receipt::default())]).await.unwrap();

        let early_end = ledger.end(&second, &Ending::Cancelled, &[]).await;
        refused(early_end, Kind::Transient, "an end beside participants");
        site.tasks(
            "UPDATE goshift_participant SET lease_until = '2000-01-01 00:00:00' \
             WHERE worker = 'late'",
        )
        .await;
        ledger.evict(&second).await.unwrap();
        let late_end = ledger.complete_shards(&late, &[(1, Receipt::default())]).await;
        refused(late_end, Kind::LeaseLost, "a shard's end by who was put out");
        let freed = ledger.claim_shards(&second, 3).await.unwrap().shards;
        assert_eq!(freed.iter().map(number).collect::<Vec<_>>(), [1], "{engine}");
        scene.site.remove().await;
    })
    .await;
}
