//! Clips lie outside the database: whatever fails between the two, none stays for ever and none goes too early.

use super::*;
use crate::clips::{Clips, NewClip};

on_both! {
    a_replaced_an_expired_and_an_erased_clip_leave_no_object,
    what_the_object_store_would_not_delete_is_deleted_later,
    an_upload_that_never_got_its_row_goes_and_one_under_way_stays,
}

const CLIP: &[u8] = b"fLaC of somebody";

fn clip<'a>(device_id: &'a str, utterance_id: &'a str) -> NewClip<'a> {
    NewClip { device_id, utterance_id, subject_id: "ann", granted_ms: now_ms(), flac: CLIP }
}

fn folder_of(f: &Fixture) -> std::path::PathBuf {
    f.folder.path().join("clips")
}

fn open(f: &Fixture) -> Clips {
    Clips::open(folder_of(f).to_str().unwrap()).unwrap()
}

fn objects(f: &Fixture) -> usize {
    std::fs::read_dir(folder_of(f).join("clips")).map_or(0, |entries| entries.count())
}

async fn doomed(f: &Fixture) -> i64 {
    let row = f.store.db.row("select count(*) from doomed_objects", Vec::new()).await.unwrap();
    row.unwrap().int(0).unwrap()
}

async fn a_replaced_an_expired_and_an_erased_clip_leave_no_object(f: Fixture) {
    let clips = open(&f);
    for utterance in ["u-1", "u-1", "u-2"] {
        assert!(clips.keep(&f.store, &clip("pi", utterance)).await.unwrap());
    }
    assert_eq!((objects(&f), doomed(&f).await), (2, 0), "the replaced one is gone");
    assert_eq!(clips.load(&f.store, "pi", "u-1").await.unwrap().as_deref(), Some(CLIP));
    let old = now_ms() - 100 * rollup::DAY_MS;
    let sql = "update clips set received_ms = $1 where utterance_id = 'u-2'";
    f.store.db.run(sql, db::values![old]).await.unwrap();
    f.store.expire(&Retention::default()).await.unwrap();
    clips.sweep(&f.store).await.unwrap();
    assert_eq!((objects(&f), clips.load(&f.store, "pi", "u-2").await.unwrap()), (1, None));
    f.store.erase(&EraseScope::Person("ann".to_owned()), "tests").await.unwrap();
    clips.sweep(&f.store).await.unwrap();
    assert_eq!((objects(&f), doomed(&f).await), (0, 0));
}

async fn what_the_object_store_would_not_delete_is_deleted_later(f: Fixture) {
    let clips = open(&f);
    clips.keep(&f.store, &clip("pi", "u-1")).await.unwrap();
    f.store.erase(&EraseScope::Device("pi".to_owned()), "tests").await.unwrap();
    // A folder that is a file can delete nothing, not even for root.
    let (folder, away) = (folder_of(&f), f.folder.path().join("away"));
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "not a folder").unwrap();
    assert!(clips.sweep(&f.store).await.is_err());
    assert_eq!(doomed(&f).await, 1, "it is not forgotten");
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    assert_eq!(objects(&f), 1);
    clips.sweep(&f.store).await.unwrap();
    assert_eq!((objects(&f), doomed(&f).await), (0, 0));
}

async fn an_upload_that_never_got_its_row_goes_and_one_under_way_stays(f: Fixture) {
    let clips = open(&f);
    std::fs::create_dir_all(folder_of(&f).join("clips")).unwrap();
    std::fs::write(folder_of(&f).join("clips/orphan"), "sealed").unwrap();
    f.store.announce_object("pi", "clips/orphan").await.unwrap();
    clips.sweep(&f.store).await.unwrap();
    assert_eq!(objects(&f), 1, "it may still be written");
    f.store.db.run("update doomed_objects set due_ms = 1", Vec::new()).await.unwrap();
    clips.sweep(&f.store).await.unwrap();
    assert_eq!((objects(&f), doomed(&f).await), (0, 0));
}
