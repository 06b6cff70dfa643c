//! The checked-in header is the one that the sources make.

use std::path::Path;

/// `EARWITNESS_UPDATE_HEADER=1 cargo test -p earwitness-ffi --test header` writes it anew.
#[test]
fn the_header_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in ["status", "event", "runtime", "session"] {
        builder = builder.with_src(root.join(format!("src/c/{file}.rs")));
    }
    let bindings = builder.generate().unwrap();
    let mut made = Vec::new();
    bindings.write(&mut made);
    let made = String::from_utf8(made).unwrap();
    let path = root.join("include/earwitness.h");
    if std::env::var_os("EARWITNESS_UPDATE_HEADER").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let here = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(here == made, "{} is not current: run this test with EARWITNESS_UPDATE_HEADER=1", path.display());
    for name in ["ew_session_push_f32", "EW_STATUS_BAD_HANDLE", "EW_EVENT_KIND_ENDED", "EW_ABI_VERSION"] {
        assert!(here.contains(name), "{name}");
    }
}
