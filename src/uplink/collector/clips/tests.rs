//! What waits, what is given up, and what is only set aside.

use super::*;

#[test]
fn clips_wait_in_order_across_restarts_and_the_oldest_go_first() {
    let folder = tempfile::tempdir().unwrap();
    let open = || ClipStore::open(folder.path(), 3_000, None).unwrap();
    let store = open();
    for n in 0..4 {
        store.keep_clip(&format!("s-{n}"), &vec![n; 900], 7, Some("anna"), 100 + u64::from(n)).unwrap();
    }
    let bytes = store.stats().bytes;
    assert_eq!(store.stats(), ClipStats { clips: 3, bytes, lost: 1, unreadable: 0 });
    fs::write(folder.path().join("x.clip.part"), b"cut").unwrap();
    let store = open();
    let mut seen = Vec::new();
    while let Some((name, clip)) = store.oldest().unwrap() {
        assert_eq!(
            (clip.granted_unix_ms, clip.subject_id.as_deref(), clip.flac.len()),
            (7, Some("anna"), 900)
        );
        seen.push(clip.utterance_id);
        store.done(&name, true);
    }
    assert_eq!(seen, ["s-1", "s-2", "s-3"]);
    assert_eq!(store.stats(), ClipStats { lost: 1, ..ClipStats::default() }, "the loss is not forgotten");
    store.erase().unwrap();
    assert!(!folder.path().exists());
}

#[test]
fn what_cannot_be_sent_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = ClipStore::open(folder.path(), 1 << 30, None).unwrap();
    for (id, subject) in [("../up", None), ("", None), ("a", Some("b/c"))] {
        assert!(matches!(store.keep_clip(id, b"f", 0, subject, 0), Err(ClipError::BadId)), "{id}");
    }
    let large = vec![0; MAX_CLIP_BYTES + 1];
    assert!(matches!(store.keep_clip("a", &large, 0, None, 0), Err(ClipError::TooLarge(_))));
    fs::write(folder.path().join("00000000000000000001-x.clip"), b"no label").unwrap();
    let store = ClipStore::open(folder.path(), 1 << 30, None).unwrap();
    assert!(store.oldest().unwrap().is_none() && store.stats().lost == 1);
    store.keep_clip("a", b"f", 0, None, 0).unwrap();
    assert_eq!(store.clear().unwrap(), 1);
    fs::write(folder.path().join("notes"), b"not of the store").unwrap();
    store.erase().unwrap();
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["notes"]);
}

#[test]
fn a_sealed_clip_shows_neither_voice_nor_person() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    atomic_write(&file, SpoolKey::generate().as_bytes()).unwrap();
    let place = folder.path().join("clips");
    let store = ClipStore::open(&place, 1 << 30, SpoolKey::from_file(&file).ok()).unwrap();
    store.keep_clip("s-1", b"fLaC speech", 0, Some("anna"), 0).unwrap();
    let entry = fs::read_dir(&place).unwrap().next().unwrap().unwrap();
    let bytes = fs::read(entry.path()).unwrap();
    assert!(![&b"fLaC"[..], b"anna"].iter().any(|secret| bytes.windows(4).any(|w| &w == secret)));
    assert_eq!(store.oldest().unwrap().unwrap().1.flac, b"fLaC speech");
}

#[test]
fn a_clip_that_another_key_sealed_waits_for_it_and_holds_up_none() {
    let folder = tempfile::tempdir().unwrap();
    let (key, place) = (folder.path().join("key"), folder.path().join("clips"));
    let new_key = || {
        atomic_write(&key, SpoolKey::generate().as_bytes()).unwrap();
        SpoolKey::from_file(&key).unwrap()
    };
    let (first, second) = (new_key(), new_key());
    let open = |key: Option<&SpoolKey>| ClipStore::open(&place, 1 << 30, key.cloned()).unwrap();
    open(Some(&first)).keep_clip("s-1", b"fLaC", 0, None, 1).unwrap();
    let store = open(Some(&second));
    store.keep_clip("s-2", b"fLaC", 0, None, 2).unwrap();
    let (name, clip) = store.oldest().unwrap().unwrap();
    assert_eq!(clip.utterance_id, "s-2");
    store.done(&name, true);
    assert!(store.oldest().unwrap().is_none());
    let stats = store.stats();
    assert_eq!((stats.clips, stats.unreadable, stats.lost), (1, 1, 0));
    assert!(open(None).oldest().unwrap().is_none());
    assert_eq!(open(Some(&first)).oldest().unwrap().unwrap().1.utterance_id, "s-1");
}

#[test]
fn a_clip_that_the_system_will_not_read_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    // To read a folder fails for everybody, root included.
    fs::create_dir(folder.path().join("00000000000000000001-s-1.clip")).unwrap();
    let store = ClipStore::open(folder.path(), 1 << 30, None).unwrap();
    store.keep_clip("s-2", b"fLaC", 0, None, 2).unwrap();
    for _ in 1..MAX_READ_FAILURES {
        assert!(store.oldest().is_err());
    }
    assert_eq!(store.oldest().unwrap().unwrap().1.utterance_id, "s-2", "and does not block for ever");
    let stats = store.stats();
    assert_eq!((stats.clips, stats.unreadable, stats.lost), (2, 1, 0));
}

#[test]
fn whose_a_clip_is_stays_here_without_consent() {
    let folder = tempfile::tempdir().unwrap();
    let store = ClipStore::open(folder.path(), 1 << 30, None).unwrap();
    store.keep_clip("s-1", b"fLaC", 0, Some("anna"), 0).unwrap();
    assert!(store.oldest().unwrap().unwrap().1.subject_id.is_some());
    assert!(store.without_speakers().oldest().unwrap().unwrap().1.subject_id.is_none());
}
