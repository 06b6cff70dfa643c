//! Batches repeated, reordered, overlapping, with holes: each record once.

use super::*;

on_both! {
    a_stream_continues_and_a_repetition_has_no_effect,
    a_hole_is_refused_with_the_sequence_that_fits,
    reported_losses_fill_holes_and_count_once,
    overlapping_batches_add_only_what_is_new,
    many_devices_at_once_lose_and_double_nothing,
    what_was_acknowledged_is_there_after_a_restart,
    random_deliveries_store_every_record_once,
}

async fn a_stream_continues_and_a_repetition_has_no_effect(f: Fixture) {
    let first = f.store.append("pi", utterances(1, 3)).await.unwrap();
    assert_eq!((first.high_water, first.stored, first.duplicates), (3, 3, 0));
    let again = f.store.append("pi", utterances(1, 3)).await.unwrap();
    assert_eq!((again.high_water, again.stored, again.duplicates), (3, 0, 3));
    let next = f.store.append("pi", utterances(4, 2)).await.unwrap();
    assert_eq!((next.high_water, next.stored), (5, 2));
    // Another device's stream of the same name is another stream.
    assert_eq!(f.store.append("laptop", utterances(1, 1)).await.unwrap().high_water, 1);
    assert_eq!(stored(&f.store, "pi").await, [1, 2, 3, 4, 5]);
}

async fn a_hole_is_refused_with_the_sequence_that_fits(f: Fixture) {
    f.store.append("pi", utterances(1, 2)).await.unwrap();
    let refused = f.store.append("pi", utterances(4, 2)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Gap { expected: 3 }), "{refused}");
    let mut early = head(6);
    early.lost = vec![lost(4, 5)];
    let refused = f.store.append("pi", batch(early, &[utterance(6)])).await.unwrap_err();
    assert!(matches!(refused, AppendError::Gap { expected: 3 }), "{refused}");
    assert_eq!(stored(&f.store, "pi").await, [1, 2]);
}

async fn reported_losses_fill_holes_and_count_once(f: Fixture) {
    let mut with_loss = head(4);
    with_loss.lost = vec![lost(1, 3)];
    let report = || batch(with_loss.clone(), &[utterance(4)]);
    assert_eq!(f.store.append("pi", report()).await.unwrap().high_water, 4);
    assert_eq!(f.store.append("pi", report()).await.unwrap().duplicates, 1);
    // Losses alone, partly known already.
    let mut only_loss = head(8);
    only_loss.lost = vec![lost(2, 3), lost(5, 7)];
    assert_eq!(f.store.append("pi", batch(only_loss, &[])).await.unwrap().high_water, 7);
    let device = f.store.device("pi").await.unwrap().unwrap();
    assert_eq!((device.lost, device.records), (6, 7));
    let ranges: Vec<_> =
        f.store.losses("pi").await.unwrap().iter().map(|l| (l.first_sequence, l.last_sequence)).collect();
    assert_eq!(ranges.len(), 2);
    assert!(ranges.contains(&(1, 3)) && ranges.contains(&(5, 7)), "{ranges:?}");
}

async fn overlapping_batches_add_only_what_is_new(f: Fixture) {
    f.store.append("pi", utterances(1, 5)).await.unwrap();
    let overlap = f.store.append("pi", utterances(3, 6)).await.unwrap();
    assert_eq!((overlap.high_water, overlap.stored, overlap.duplicates), (8, 3, 3));
    let old = f.store.append("pi", utterances(2, 2)).await.unwrap();
    assert_eq!((old.high_water, old.stored, old.duplicates), (8, 0, 2));
    assert_eq!(stored(&f.store, "pi").await, [1, 2, 3, 4, 5, 6, 7, 8]);
}

async fn many_devices_at_once_lose_and_double_nothing(f: Fixture) {
    let mut tasks = Vec::new();
    for n in 0..40 {
        let (store, device) = (f.store.clone(), format!("dev-{n}"));
        enrol(&store, &device).await;
        tasks.push(tokio::spawn(async move {
            for first in [1, 11, 21] {
                // Twice at the same moment, as after a time-out.
                let (one, two) = tokio::join!(
                    store.append(&device, utterances(first, 10)),
                    store.append(&device, utterances(first, 10))
                );
                assert_eq!(one.unwrap().stored + two.unwrap().stored, 10);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for n in 0..40 {
        assert_eq!(stored(&f.store, &format!("dev-{n}")).await, (1..=30).collect::<Vec<_>>());
    }
}

async fn what_was_acknowledged_is_there_after_a_restart(f: Fixture) {
    f.store.append("pi", utterances(1, 100)).await.unwrap();
    let f = f.reopened().await;
    assert_eq!(f.store.append("pi", utterances(1, 100)).await.unwrap().duplicates, 100);
    assert_eq!(stored(&f.store, "pi").await.len(), 100);
}

async fn random_deliveries_store_every_record_once(f: Fixture) {
    const RECORDS: u64 = 400;
    let mut rng = fastrand::Rng::with_seed(11);
    let mut acknowledged = 0;
    while acknowledged < RECORDS {
        // From anywhere at or before the mark, or past it.
        let first = (acknowledged + 1).saturating_sub(rng.u64(0..30)).max(1) + rng.u64(0..3);
        let count = rng.u64(1..40).min((RECORDS + 1).saturating_sub(first));
        match f.store.append("pi", utterances(first, count)).await {
            Ok(accepted) => acknowledged = accepted.high_water,
            Err(AppendError::Gap { expected }) => assert_eq!(expected, acknowledged + 1),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(stored(&f.store, "pi").await, (1..=RECORDS as i64).collect::<Vec<_>>());
    // The roll-ups count each once too, however often they are made.
    f.derive_all().await;
    f.derive_all().await;
    let hours = f.store.hours(Some("pi"), 0).await.unwrap();
    assert_eq!(hours.iter().map(|hour| hour.utterances).sum::<i64>(), RECORDS as i64);
}
