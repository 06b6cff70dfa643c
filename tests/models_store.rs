//! What the store accepts, finds damaged, imports and removes; no network.

mod models_support;

use std::fs;
use std::path::Path;

use earwitness::models::{
    Catalog, FileState, ImportOptions, ModelError, ModelErrorKind, ModelFormat, ModelStore, NoProgress,
    PullOptions, SourceChoice,
};
use models_support::{catalog, options, sha256, weights};

fn store() -> (tempfile::TempDir, ModelStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = ModelStore::open(folder.path().join("models"));
    (folder, store)
}

fn from_folder(folder: &Path) -> PullOptions {
    PullOptions {
        offline: true,
        source: SourceChoice::Folder(folder.to_owned()),
        ..options("http://127.0.0.1:9")
    }
}

fn installed_mini(folder: &Path, store: &ModelStore, content: &[u8]) {
    fs::write(folder.join("model.bin"), content).unwrap();
    store.pull(&catalog(content), "mini", &from_folder(folder), &mut NoProgress).unwrap();
}

#[test]
fn a_folder_is_a_source_without_network() {
    let (folder, store) = store();
    installed_mini(folder.path(), &store, &weights(5000));
    let model = &store.installed().unwrap()[0];
    assert_eq!((model.manifest.name.as_str(), model.manifest.bytes()), ("mini", 5000));
    assert!(store.verify("mini").unwrap().iter().all(|f| f.state == FileState::Whole));
}

#[test]
fn a_flipped_bit_is_found_by_verify_and_a_short_file_by_locate() {
    let (folder, store) = store();
    let mut content = weights(5000);
    installed_mini(folder.path(), &store, &content);
    let path = store.locate("mini").unwrap();
    content[2500] ^= 1;
    fs::write(&path, &content).unwrap();
    assert_eq!(store.verify("mini").unwrap()[0].state, FileState::WrongContent);
    fs::write(&path, &content[..100]).unwrap();
    assert_eq!(store.verify("mini").unwrap()[0].state, FileState::WrongSize);
    assert_eq!(store.locate("mini").unwrap_err().kind(), ModelErrorKind::Corrupt);
    fs::remove_file(&path).unwrap();
    assert_eq!(store.verify("mini").unwrap()[0].state, FileState::Missing);
}

#[test]
fn a_pull_replaces_a_damaged_model() {
    let (folder, store) = store();
    let content = weights(5000);
    installed_mini(folder.path(), &store, &content);
    fs::write(store.locate("mini").unwrap(), b"short").unwrap();
    installed_mini(folder.path(), &store, &content);
    assert_eq!(fs::read(store.locate("mini").unwrap()).unwrap(), content);
}

#[test]
fn the_hub_cache_is_found_before_any_network() {
    let (folder, store) = store();
    let content = weights(5000);
    let snapshot = folder.path().join("hub/models--org--mini/snapshots/abc/weights");
    fs::create_dir_all(&snapshot).unwrap();
    fs::write(snapshot.join("model.bin"), &content).unwrap();
    let mut options = options("http://127.0.0.1:9");
    options.offline = true;
    options.settings.hub_cache = Some(folder.path().join("hub"));
    store.pull(&catalog(&content), "mini", &options, &mut NoProgress).unwrap();
    assert_eq!(store.find("mini").unwrap().manifest.origin, "hub cache org/mini");
}

#[test]
fn a_model_without_manifest_or_with_part_files_is_not_a_model() {
    let (_folder, store) = store();
    fs::create_dir_all(store.root().join("mini")).unwrap();
    fs::write(store.root().join("mini/model.bin"), b"half").unwrap();
    assert!(matches!(store.locate("mini"), Err(ModelError::NotInstalled { .. })));
    assert!(store.locate("model.bin.part").is_err());
    assert!(store.installed().unwrap().is_empty());
}

#[test]
fn what_is_not_here_is_answered_with_the_command_to_run() {
    let (_folder, store) = store();
    assert!(store.locate("tiny.en").unwrap_err().to_string().contains("earwitness models pull tiny.en"));
    assert!(store.locate("tiny-en").unwrap_err().to_string().contains("did you mean `tiny.en`?"));
    assert!(matches!(store.locate("./no/such"), Err(ModelError::PathMissing { .. })));
    assert!(matches!(store.locate("../no/such/folder"), Err(ModelError::PathMissing { .. })));
    let unknown = Catalog::builtin().unwrap().get("bsae").unwrap_err();
    assert!(unknown.to_string().contains("did you mean `base`?"));
}

#[test]
fn ggml_and_gguf_files_and_ctranslate2_and_safetensors_folders_are_imported() {
    let (folder, store) = store();
    let here = |name: &str| folder.path().join(name);
    fs::write(here("ggml-tiny.bin"), b"lmgg rest").unwrap();
    fs::write(here("tiny.gguf"), b"GGUF rest").unwrap();
    for (name, file, head) in [
        ("ct2", "model.bin", &b"\x06\0\0\0\x0c\0WhisperSpec\0rest"[..]),
        ("hf", "model.safetensors", &b"\x10\0\0\0\0\0\0\0{\"a\":1}"[..]),
    ] {
        fs::create_dir(here(name)).unwrap();
        for (file, content) in
            [(file, head), ("config.json", b"{}"), ("tokenizer.json", b"{}"), ("optimizer.pt", b"x")]
        {
            fs::write(here(name).join(file), content).unwrap();
        }
    }
    let catalog = Catalog::builtin().unwrap();
    for (source, name, format, files) in [
        ("ggml-tiny.bin", "a", ModelFormat::Ggml, 1),
        ("tiny.gguf", "b", ModelFormat::Gguf, 1),
        ("ct2", "c", ModelFormat::Ctranslate2, 3),
        ("hf", "d", ModelFormat::Safetensors, 3),
    ] {
        let path =
            store.import(&catalog, &here(source), &ImportOptions { name: name.into(), link: false }).unwrap();
        let manifest = store.find(name).unwrap().manifest;
        assert_eq!(
            (manifest.format, manifest.files.len(), path.is_dir()),
            (format, files, files > 1),
            "{source}"
        );
    }
    assert_eq!(store.find("a").unwrap().manifest.files[0].sha256.as_str(), sha256(b"lmgg rest"));
}

#[cfg(unix)]
#[test]
fn a_linked_import_is_not_copied_and_outlives_rm() {
    let (folder, store) = store();
    let file = folder.path().join("mine.gguf");
    fs::write(&file, b"GGUF rest").unwrap();
    let options = ImportOptions { name: "mine".into(), link: true };
    let path = store.import(&Catalog::builtin().unwrap(), &file, &options).unwrap();
    assert!(path.symlink_metadata().unwrap().is_symlink());
    store.remove("mine").unwrap();
    assert!(file.exists() && store.locate("mine").is_err());
}

#[test]
fn an_import_is_refused_when_it_is_no_model_taken_or_not_what_its_name_says() {
    let (folder, store) = store();
    let content = weights(500);
    let catalog = catalog(&content);
    let file = folder.path().join("note.txt");
    fs::write(&file, b"hello").unwrap();
    let import = |path: &Path, name: &str| {
        store.import(&catalog, path, &ImportOptions { name: name.into(), link: false })
    };
    assert!(matches!(import(&file, "x"), Err(ModelError::NotAModel { .. })));
    assert!(matches!(import(&file, "../x"), Err(ModelError::BadName { .. })));
    let gguf = folder.path().join("x.gguf");
    fs::write(&gguf, b"GGUF rest").unwrap();
    import(&gguf, "x").unwrap();
    assert!(matches!(import(&gguf, "x"), Err(ModelError::BadName { .. })));
    let bin = folder.path().join("model.bin");
    fs::write(&bin, b"lmgg not mini").unwrap();
    assert_eq!(import(&bin, "mini").unwrap_err().kind(), ModelErrorKind::Corrupt);
    assert!(store.locate("mini").is_err());
    assert!(!store.root().join(".partial/mini").exists());
}

#[test]
fn no_room_is_said_before_a_byte_is_fetched() {
    let (folder, store) = store();
    let text = models_support::catalog_text(b"x").replace("bytes = 1,", "bytes = 9000000000000000,");
    let huge = Catalog::parse(&text).unwrap();
    let error = store.pull(&huge, "mini", &from_folder(folder.path()), &mut NoProgress).unwrap_err();
    assert!(
        cfg!(not(unix)) || matches!(error, ModelError::DiskFull { needed: 9_000_000_000_000_000.., .. }),
        "{error}"
    );
}
