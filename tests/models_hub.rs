//! Pulling from a hub over HTTP: resumption, broken servers, wrong bytes. The hub is a server on 127.0.0.1.
#![cfg(feature = "download")]

mod models_support;

use std::fs;

use earwitness::models::{HubToken, ModelError, ModelErrorKind, ModelStore, NoProgress, PullOutcome};
use models_support::{Heard, Reply, Server, catalog, options, weights};

const LEN: usize = 3_000_000;

fn store() -> (tempfile::TempDir, ModelStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = ModelStore::open(folder.path().join("models"));
    (folder, store)
}

#[test]
fn a_whole_file_is_installed_disclosed_and_not_fetched_twice() {
    let (_folder, store) = store();
    let content = weights(LEN);
    let body = content.clone();
    let server = Server::start(move |_, _| Reply::file(&body));
    let mut options = options(&server.address);
    options.settings.hub_token = Some(HubToken("t0p".into()));
    let mut heard = Heard::default();
    let outcome = store.pull(&catalog(&content), "mini", &options, &mut heard).unwrap();
    let path = store.locate("mini").unwrap();
    assert_eq!(outcome, PullOutcome::Installed { path: path.clone(), origin: "hub org/mini".into() });
    assert_eq!(fs::read(path).unwrap(), content);
    assert_eq!((heard.contacted, heard.advanced), (vec!["127.0.0.1".to_owned()], LEN as u64));
    let again = store.pull(&catalog(&content), "mini", &options, &mut NoProgress).unwrap();
    assert!(matches!(again, PullOutcome::AlreadyInstalled(_)));
    let requests = server.requests(1);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, "/org/mini/resolve/main/weights/model.bin");
    assert_eq!(requests[0].authorization.as_deref(), Some("Bearer t0p"));
}

#[test]
fn a_cut_connection_is_resumed_where_it_broke() {
    let (_folder, store) = store();
    let content = weights(LEN);
    let body = content.clone();
    let server =
        Server::start(
            move |n, _| if n == 0 { Reply::file(&body).cut_after(LEN / 2) } else { Reply::file(&body) },
        );
    let mut heard = Heard::default();
    store.pull(&catalog(&content), "mini", &options(&server.address), &mut heard).unwrap();
    let requests = server.requests(2);
    assert_eq!(requests.len(), 2);
    let from = requests[1].range_from.unwrap();
    assert!(from > 0 && from <= LEN / 2);
    assert_eq!((requests[1].status, requests[1].if_range.as_deref()), (206, Some("\"v1\"")));
    assert_eq!(requests[1].body_bytes, LEN - from, "the second request carried only the rest");
    assert_eq!(heard.started_at, [0, from as u64]);
}

#[test]
fn a_server_that_always_cuts_leaves_nothing_locatable_and_the_next_run_resumes() {
    let (_folder, store) = store();
    let content = weights(LEN);
    let body = content.clone();
    let broken = Server::start(move |_, _| Reply { ranges: false, ..Reply::file(&body).cut_after(LEN / 3) });
    let error =
        store.pull(&catalog(&content), "mini", &options(&broken.address), &mut NoProgress).unwrap_err();
    assert!(matches!(error, ModelError::Transfer { .. }), "{error}");
    assert!(matches!(store.locate("mini"), Err(ModelError::NotInstalled { .. })));
    assert!(store.installed().unwrap().is_empty());
    // A killed process leaves the same: a .part of some length, and another address has no ETag for it.
    let part = store.root().join(".partial/mini/model.bin.part");
    let left = part.metadata().unwrap().len() as usize;
    assert!(left > 0 && left <= LEN / 3);
    let body = content.clone();
    let sound = Server::start(move |_, _| Reply::file(&body));
    store.pull(&catalog(&content), "mini", &options(&sound.address), &mut NoProgress).unwrap();
    let requests = sound.requests(1);
    assert_eq!((requests[0].range_from, requests[0].body_bytes), (Some(left), LEN - left));
    assert!(!part.exists());
}

#[test]
fn a_leftover_of_other_content_is_noticed_and_fetched_from_the_beginning() {
    let (_folder, store) = store();
    let content = weights(LEN);
    let staging = store.root().join(".partial/mini");
    fs::create_dir_all(&staging).unwrap();
    fs::write(staging.join("model.bin.part"), vec![0; 1000]).unwrap();
    let body = content.clone();
    let server = Server::start(move |_, _| Reply::file(&body));
    store.pull(&catalog(&content), "mini", &options(&server.address), &mut NoProgress).unwrap();
    let served: Vec<_> = server.requests(2).iter().map(|r| r.range_from).collect();
    assert_eq!(served, [Some(1000), None]);
    assert_eq!(fs::read(store.locate("mini").unwrap()).unwrap(), content);
}

#[test]
fn a_server_that_ignores_range_is_read_from_the_beginning() {
    let (_folder, store) = store();
    let content = weights(LEN);
    let staging = store.root().join(".partial/mini");
    fs::create_dir_all(&staging).unwrap();
    fs::write(staging.join("model.bin.part"), &content[..LEN / 2]).unwrap();
    let body = content.clone();
    let server = Server::start(move |_, _| Reply { ranges: false, ..Reply::file(&body) });
    store.pull(&catalog(&content), "mini", &options(&server.address), &mut NoProgress).unwrap();
    let requests = server.requests(1);
    assert_eq!((requests.len(), requests[0].range_from, requests[0].body_bytes), (1, Some(LEN / 2), LEN));
    assert_eq!(fs::read(store.locate("mini").unwrap()).unwrap(), content);
}

#[test]
fn a_file_that_changed_on_the_server_is_not_glued_to_the_old_half() {
    let (_folder, store) = store();
    let content = weights(LEN);
    let (old, new) = (vec![9; LEN], content.clone());
    let server = Server::start(move |n, _| match n {
        0 => Reply::file(&old).cut_after(LEN / 2),
        _ => Reply { etag: Some("\"v2\""), ..Reply::file(&new) },
    });
    store.pull(&catalog(&content), "mini", &options(&server.address), &mut NoProgress).unwrap();
    let requests = server.requests(2);
    assert_eq!((requests.len(), requests[1].status), (2, 200));
}

#[test]
fn wrong_bytes_are_deleted_and_nothing_is_installed() {
    let (_folder, store) = store();
    let content = weights(LEN);
    let mut wrong = content.clone();
    wrong[LEN - 1] ^= 1;
    let server = Server::start(move |_, _| Reply::file(&wrong));
    let error =
        store.pull(&catalog(&content), "mini", &options(&server.address), &mut NoProgress).unwrap_err();
    assert_eq!(error.kind(), ModelErrorKind::Corrupt);
    let text = error.to_string();
    assert!(text.contains(&models_support::sha256(&content)) && text.contains("--source"), "{text}");
    assert!(store.locate("mini").is_err());
    assert_eq!(fs::read_dir(store.root().join(".partial/mini")).unwrap().count(), 0);
}

#[test]
fn a_body_longer_than_pinned_is_not_read_to_its_end() {
    let (_folder, store) = store();
    let content = weights(1000);
    let server = Server::start(move |_, _| Reply::file(&weights(LEN)));
    let error =
        store.pull(&catalog(&content), "mini", &options(&server.address), &mut NoProgress).unwrap_err();
    assert!(
        matches!(error, ModelError::WrongSize { expected: 1000, found, .. } if found < LEN as u64),
        "{error}"
    );
}

#[test]
fn a_404_is_final_and_a_500_is_retried() {
    let content = weights(1000);
    for (status, tries) in [(404, 1), (401, 1), (500, 4), (429, 4)] {
        let (_folder, store) = store();
        let server = Server::start(move |_, _| Reply::status(status));
        let error =
            store.pull(&catalog(&content), "mini", &options(&server.address), &mut NoProgress).unwrap_err();
        assert!(matches!(error, ModelError::HttpStatus { status: s, .. } if s == status), "{error}");
        assert_eq!(error.kind(), ModelErrorKind::Network);
        assert_eq!(server.requests(tries).len(), tries, "requests after {status}");
    }
}

#[test]
fn a_500_that_passes_is_survived() {
    let (_folder, store) = store();
    let content = weights(1000);
    let body = content.clone();
    let server = Server::start(move |n, _| if n < 2 { Reply::status(503) } else { Reply::file(&body) });
    store.pull(&catalog(&content), "mini", &options(&server.address), &mut NoProgress).unwrap();
    assert_eq!(server.requests(3).len(), 3);
}

#[test]
fn offline_opens_no_socket() {
    let (_folder, store) = store();
    let content = weights(1000);
    let body = content.clone();
    let server = Server::start(move |_, _| Reply::file(&body));
    let mut offline = options(&server.address);
    offline.offline = true;
    let mut heard = Heard::default();
    let error = store.pull(&catalog(&content), "mini", &offline, &mut heard).unwrap_err();
    assert!(matches!(error, ModelError::Offline { .. }), "{error}");
    assert!(heard.contacted.is_empty());
    // The server does answer: the next connection is its first.
    offline.offline = false;
    store.pull(&catalog(&content), "mini", &offline, &mut NoProgress).unwrap();
    assert_eq!(server.requests(1).len(), 1);
}

#[test]
fn a_closed_port_is_unreachable_at_once() {
    let (_folder, store) = store();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = store
        .pull(&catalog(&weights(10)), "mini", &options(&format!("http://127.0.0.1:{port}")), &mut NoProgress)
        .unwrap_err();
    assert!(matches!(error, ModelError::Unreachable { .. }), "{error}");
}

#[test]
fn two_pulls_at_once_fetch_once() {
    let (_folder, store) = store();
    let content = weights(LEN);
    let body = content.clone();
    let server = Server::start(move |_, _| Reply::file(&body));
    let (catalog, options) = (catalog(&content), options(&server.address));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| store.pull(&catalog, "mini", &options, &mut NoProgress).unwrap());
        }
    });
    assert_eq!(server.requests(1).len(), 1);
}
