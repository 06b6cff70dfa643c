use super::*;

fn open(folder: &Path) -> Spool {
    Spool::open(SpoolOptions { keep_answered: true, ..SpoolOptions::new(folder) }).unwrap()
}

fn speech(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i as f32 * 0.02).sin() * 8000.0).round() / 32768.0).collect()
}

fn answered(text: &str) -> SpoolRecord {
    SpoolRecord { text: Some(text.to_owned()), ..SpoolRecord::new(SpoolState::Answered) }
}

#[test]
fn what_is_kept_comes_back_after_a_restart_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let ids: Vec<String> = {
        let spool = open(folder.path());
        (1..6).map(|n| spool.keep(&speech(n * 1000)).unwrap()).collect()
    };
    let spool = open(folder.path());
    assert!(ids.is_sorted());
    assert_eq!(spool.entries().into_iter().map(|e| e.id).collect::<Vec<_>>(), ids);
    for (n, id) in (1..6).zip(&ids) {
        assert_eq!(spool.samples(id).unwrap(), speech(n * 1000));
    }
    assert!(spool.keep(&speech(10)).unwrap() > ids[4]);
    assert_eq!(spool.oldest(SpoolState::Pending, &ids[0]).as_ref(), Some(&ids[1]));
}

#[test]
fn an_answer_is_news_once() {
    let folder = tempfile::tempdir().unwrap();
    let id = open(folder.path()).keep(&speech(100)).unwrap();
    let spool = open(folder.path());
    let first = SpoolRecord { text: Some("a".into()), ..SpoolRecord::new(SpoolState::Provisional) };
    assert!(spool.settle(&id, &first).unwrap());
    assert!(!spool.settle(&id, &first).unwrap());
    assert!(spool.settle(&id, &answered("b")).unwrap());
    assert!(!spool.settle(&id, &answered("c")).unwrap());
    drop(spool);
    let spool = open(folder.path());
    assert!(!spool.settle(&id, &answered("d")).unwrap());
    assert_eq!(spool.record(&id).unwrap().text.as_deref(), Some("b"));
}

#[test]
fn answered_utterances_go_unless_they_are_to_stay() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(SpoolOptions::new(folder.path())).unwrap();
    let id = spool.keep(&speech(100)).unwrap();
    assert!(spool.settle(&id, &answered("a")).unwrap());
    assert_eq!(spool.entries(), []);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
}

#[test]
fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    assert!(matches!(Spool::open(SpoolOptions::new(folder.path())), Err(SpoolError::InUse(_))));
    drop(spool);
    open(folder.path());
}

/// Every state that a crash can leave the folder in.
#[test]
fn what_a_crash_left_half_done_is_finished_or_undone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (kept, done) = {
        let spool = open(folder.path());
        let (kept, done) = (spool.keep(&speech(100)).unwrap(), spool.keep(&speech(200)).unwrap());
        spool.settle(&done, &answered("x")).unwrap();
        (kept, done)
    };
    fs::write(path("1000000000000-0000.flac.part"), b"fLaC cut").unwrap();
    fs::write(path(&format!("{kept}.json.part")), b"{").unwrap();
    fs::remove_file(path(&format!("{done}.flac"))).unwrap();
    fs::write(path("spend.json"), b"{}").unwrap();
    let spool = open(folder.path());
    assert_eq!(spool.entries().len(), 1);
    assert_eq!(spool.samples(&kept).unwrap().len(), 100);
    assert!(!path(&format!("{done}.json")).exists() && path("spend.json").exists());
    assert!(!path("1000000000000-0000.flac.part").exists());
}

#[test]
fn the_cap_drops_answered_ones_first_or_stops() {
    let folder = tempfile::tempdir().unwrap();
    let noise: Vec<f32> = {
        let mut rng = fastrand::Rng::with_seed(1);
        (0..150_000).map(|_| rng.f32() * 2.0 - 1.0).collect()
    };
    let options = SpoolOptions { max_mib: 1, keep_answered: true, ..SpoolOptions::new(folder.path()) };
    let spool = Spool::open(options.clone()).unwrap();
    let first = spool.keep(&noise).unwrap();
    let second = spool.keep(&noise).unwrap();
    let third = spool.keep(&noise).unwrap();
    spool.settle(&second, &answered("x")).unwrap();
    let fourth = spool.keep(&noise).unwrap();
    let ids = |spool: &Spool| spool.entries().into_iter().map(|e| e.id).collect::<Vec<_>>();
    assert_eq!((ids(&spool), spool.dropped()), (vec![first, third.clone(), fourth.clone()], 0));
    let fifth = spool.keep(&noise).unwrap();
    assert_eq!((ids(&spool), spool.dropped()), (vec![third.clone(), fourth.clone(), fifth.clone()], 1));
    drop(spool);
    let spool = Spool::open(SpoolOptions { when_full: WhenFull::Stop, ..options }).unwrap();
    assert!(matches!(spool.keep(&noise), Err(SpoolError::Full { .. })));
    assert_eq!(ids(&spool), [third, fourth, fifth]);
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("spool");
    let id = open(&place).keep(&speech(10)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&place), mode(&place.join(format!("{id}.flac")))), (0o700, 0o600));
}

#[test]
fn a_sealed_spool_opens_with_its_key_only() {
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    atomic_write(&key_file, SpoolKey::generate().as_bytes()).unwrap();
    let sealed =
        |key| SpoolOptions { key, keep_answered: true, ..SpoolOptions::new(&folder.path().join("spool")) };
    let key = SpoolKey::from_file(&key_file).unwrap();
    let id = {
        let spool = Spool::open(sealed(Some(key.clone()))).unwrap();
        let id = spool.keep(&speech(500)).unwrap();
        spool.settle(&id, &answered("a secret")).unwrap();
        id
    };
    for extension in [AUDIO, RECORD] {
        let content = fs::read(folder.path().join(format!("spool/{id}.{extension}"))).unwrap();
        assert!(!content.windows(4).any(|w| w == b"fLaC" || w == b"secr"));
    }
    assert_eq!(Spool::open(sealed(Some(key))).unwrap().samples(&id).unwrap(), speech(500));
    assert!(matches!(Spool::open(sealed(None)), Err(SpoolError::Sealed(_))));
    atomic_write(&key_file, SpoolKey::generate().as_bytes()).unwrap();
    let other = SpoolKey::from_file(&key_file).unwrap();
    assert!(matches!(Spool::open(sealed(Some(other))), Err(SpoolError::Sealed(_))));
    atomic_write(&key_file, b"short").unwrap();
    assert!(matches!(SpoolKey::from_file(&key_file), Err(SpoolError::BadKey(_))));
}
