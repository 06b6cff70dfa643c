//! The check itself: what it must not overlook.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

type Records = Vec<(i64, String)>;

/// Whether a store passes in which `change` was made. Before it four records were made, of which the disk refused the third.
fn passes(kind: Kind, change: impl FnOnce(&mut Stream, &mut Records)) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = Plan::new(folder.path(), String::new(), 1_764_000_000_000, vec!["token".into()], 4);
    plan.devices[0].kind = kind;
    plan.save();
    let device = &plan.devices[0];
    let told = "begin 0\nkept 0 1\nkept 1 2\nbegin 4\nlost 4 3\nkept 5 4\nkept 6";
    std::fs::write(plan.oracle(device), told).unwrap();
    let end = End { stream_id: "s".into(), last_sequence: 4, high_water: 4, lost: 1 };
    std::fs::write(plan.end(device), serde_json::to_vec(&end).unwrap()).unwrap();

    let device_id = device.device_id.clone();
    let name = |(sequence, n): (i64, u64)| (sequence, format!("{device_id}-{n}"));
    let mut records: Records = [(1, 0), (2, 1), (4, 5)].map(name).into();
    let losses = vec![(3, 3, "disk_full".to_owned())];
    let mut stream =
        Stream { device_id: device_id.clone(), stream_id: "s".into(), high_water: 4, lost: 1, losses };
    change(&mut stream, &mut records);
    let check = || check_stream(&plan, device, &stream, &records, &mut Found::default());
    catch_unwind(AssertUnwindSafe(check)).is_ok()
}

#[test]
fn what_is_stored_once_or_reported_passes() {
    assert!(passes(Kind::Plain, |_, _| {}));
    // Counted on the device, and arrived.
    assert!(passes(Kind::SmallCap, |stream, records| {
        records.insert(2, (3, "device-000-4".into()));
        stream.losses.clear();
        stream.lost = 0;
    }));
}

#[test]
fn a_record_that_is_gone_without_a_word_is_seen() {
    assert!(!passes(Kind::Plain, |_, records| drop(records.remove(1))));
    assert!(!passes(Kind::SmallCap, |_, records| drop(records.remove(2))));
    assert!(!passes(Kind::Plain, |stream, _| stream.losses.clear()));
    assert!(!passes(Kind::Plain, |stream, _| stream.high_water = 3));
}

#[test]
fn a_told_record_that_no_cap_explains_is_seen() {
    let lose = |stream: &mut Stream, records: &mut Records| {
        records.remove(1);
        stream.losses[0].0 = 2;
        stream.lost = 2;
    };
    assert!(!passes(Kind::Plain, lose));
    assert!(!passes(Kind::Torn, lose));
}

#[test]
fn a_record_that_is_there_twice_is_seen() {
    assert!(!passes(Kind::Plain, |_, records| records.insert(1, records[1].clone())));
    assert!(!passes(Kind::Plain, |stream, records| {
        records.insert(2, (3, records[1].1.clone()));
        stream.losses.clear();
        stream.lost = 0;
    }));
    assert!(!passes(Kind::SmallCap, |stream, records| {
        records.insert(2, (3, "device-000-4".into()));
        stream.lost = 0;
    }));
}

#[test]
fn a_sequence_that_means_another_record_is_seen() {
    assert!(!passes(Kind::Plain, |_, records| records[1].1 = "device-000-7".into()));
}

#[test]
fn losses_counted_otherwise_are_seen() {
    assert!(!passes(Kind::Plain, |stream, _| stream.lost = 2));
    assert!(!passes(Kind::Full, |stream, _| stream.losses.push((3, 3, "unknown".into()))));
}
