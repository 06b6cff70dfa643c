//! Consented texts, search, erasure.

use super::*;
use crate::vault::to_hex;

on_both! {
    texts_are_sealed_searchable_and_never_in_the_clear,
    an_erased_person_is_gone_and_old_consents_are_void,
    an_erased_device_is_gone_and_goes_on_from_its_mark,
}

fn said(n: u64, text: &str, subject: Option<&str>, granted_ms: u64) -> RecordLine {
    RecordLine { consented: Some(consented(text, subject, granted_ms)), ..utterance(n) }
}

/// Every byte of the database's files, as far as this test can see them.
fn on_disk(f: &Fixture) -> Vec<u8> {
    let files = std::fs::read_dir(f.folder.path()).unwrap();
    files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect::<Vec<_>>().concat()
}

/// Whether some words stand readable in any file of the database. PostgreSQL's are those of its whole cluster, log included.
async fn readable_on_disk(f: &Fixture, words: &'static str) -> bool {
    let folder = match f.store.db.is_sqlite() {
        true => f.folder.path().to_owned(),
        false => {
            // What is in memory only is written first.
            f.store.db.run("checkpoint", Vec::new()).await.unwrap();
            let row = f.store.db.row("select current_setting('data_directory')", Vec::new()).await.unwrap();
            std::path::PathBuf::from(row.unwrap().text(0).unwrap())
        }
    };
    let search =
        move || std::process::Command::new("grep").args(["-rqaF", words]).arg(&folder).output().unwrap();
    let found = tokio::task::spawn_blocking(search).await.unwrap();
    // 1 is "nothing found"; 2 is "could not look".
    let code = found.status.code();
    // Files of a running server may go while grep reads the folder.
    let vanished = String::from_utf8_lossy(&found.stderr).lines().all(|line| line.contains("No such file"));
    assert!(code == Some(0) || code == Some(1) || vanished, "{}", String::from_utf8_lossy(&found.stderr));
    code == Some(0)
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

async fn texts_are_sealed_searchable_and_never_in_the_clear(f: Fixture) {
    let lines = [
        said(1, "Turn on the kitchen lantern.", Some("ann"), 1),
        said(2, "Play some music in the kitchen", None, 1),
    ];
    f.store.append("pi", batch(head(1), &lines)).await.unwrap();
    f.store
        .append("laptop", batch(head(1), &[said(1, "kitchen lantern off", Some("bob"), 1)]))
        .await
        .unwrap();
    let texts = f.store.texts("pi", "u-1").await.unwrap();
    assert_eq!(texts.primary.as_deref(), Some("Turn on the kitchen lantern."));
    let found = async |query: &str| f.store.search(query, None, 0, (0, 10)).await.unwrap().0;
    assert_eq!(found("KITCHEN").await.len(), 3);
    assert_eq!(found("lantern, kitchen").await.len(), 2);
    assert_eq!(found("lantern music").await.len(), 0);
    assert_eq!(found("?!").await.len(), 0);
    let of_pi = f.store.search("lantern", Some("pi"), 0, (0, 10)).await.unwrap().0;
    assert_eq!((of_pi.len(), of_pi[0].utterance_id.as_str()), (1, "u-1"));
    let (page, more) = f.store.search("kitchen", None, 0, (0, 2)).await.unwrap();
    assert!(page.len() == 2 && more);
    for row in f.store.db.rows("select body from records", Vec::new()).await.unwrap() {
        assert!(!row.text(0).unwrap().contains("lantern"));
    }
    assert!(!readable_on_disk(&f, "kitchen lantern").await);
    // The search itself finds what is there.
    assert!(readable_on_disk(&f, "whisper/tiny.en").await);
}

async fn an_erased_person_is_gone_and_old_consents_are_void(f: Fixture) {
    let granted = now_ms() as u64 - 1000;
    let lines = [said(1, "my secret", Some("ann"), granted), said(2, "not mine", Some("bob"), granted)];
    f.store.append("pi", batch(head(1), &lines)).await.unwrap();
    f.store.append("laptop", batch(head(1), &[said(1, "secret too", Some("ann"), granted)])).await.unwrap();
    let sql = "select wrapped from person_keys where subject_id = 'ann'";
    let keys = f.store.db.rows(sql, Vec::new()).await.unwrap();
    let wrapped: Vec<_> = keys.iter().map(|row| row.blob(0).unwrap()).collect();
    assert_eq!(wrapped.len(), 2);
    let receipt = f.store.erase(&EraseScope::Person("ann".to_owned()), "admin").await.unwrap();
    f.store.scrub().await.unwrap();
    assert_eq!((receipt.texts, receipt.keys, receipt.records), (2, 2, 0));
    assert_eq!(f.store.receipt(&receipt.receipt_id).await.unwrap(), Some(receipt));
    assert_eq!(f.store.texts("pi", "u-1").await.unwrap(), Texts::default());
    assert!(f.store.search("secret", None, 0, (0, 10)).await.unwrap().0.is_empty());
    assert_eq!(f.store.texts("pi", "u-2").await.unwrap().primary.as_deref(), Some("not mine"));
    assert!(!readable_on_disk(&f, "my secret").await && !readable_on_disk(&f, "secret too").await);
    // PostgreSQL's log may hold the sealed key until it is recycled; SQLite's files do not.
    if f.store.db.is_sqlite() {
        let files = on_disk(&f);
        for wrapped in &wrapped {
            assert!(!contains(&files, wrapped), "a key is left: {}", to_hex(wrapped));
        }
    }
    // What the device still held back under the old consent is not kept; under a new one it is.
    let late = [
        said(3, "late secret", Some("ann"), granted),
        said(4, "new words", Some("ann"), now_ms() as u64 + 1),
    ];
    f.store.append("pi", batch(head(3), &late)).await.unwrap();
    assert!(f.store.search("late", None, 0, (0, 10)).await.unwrap().0.is_empty());
    assert_eq!(f.store.search("words", None, 0, (0, 10)).await.unwrap().0.len(), 1);
    assert_eq!(stored(&f.store, "pi").await.len(), 4, "figures stay");
}

async fn an_erased_device_is_gone_and_goes_on_from_its_mark(f: Fixture) {
    f.store.append("pi", batch(head(1), &[said(1, "hello there", None, 1), utterance(2)])).await.unwrap();
    f.store.append("laptop", utterances(1, 2)).await.unwrap();
    f.derive_all().await;
    let receipt = f.store.erase(&EraseScope::Device("pi".to_owned()), "pi").await.unwrap();
    f.store.scrub().await.unwrap();
    assert_eq!((receipt.records, receipt.texts, receipt.keys), (2, 1, 1));
    assert!(
        stored(&f.store, "pi").await.is_empty() && f.store.hours(Some("pi"), 0).await.unwrap().is_empty()
    );
    assert_eq!(stored(&f.store, "laptop").await.len(), 2);
    // Made before the erasure, sent after it: the mark moves, nothing is kept.
    let mut old = utterance(3);
    old.recorded_unix_ms = receipt.erased_unix_ms as u64 - 10_000;
    let mut new = utterance(4);
    new.recorded_unix_ms = now_ms() as u64 + 5;
    let accepted = f.store.append("pi", batch(head(3), &[old, new])).await.unwrap();
    assert_eq!(accepted.high_water, 4);
    assert_eq!(stored(&f.store, "pi").await, [4]);
}
