//! Renders every page with made-up data into a folder, to look at: `cargo run -p earwitness-collector --example gallery -- OUT`.
//!
//! Style sheet and script are put beside, so that the folder can be opened from disk or served by any file server.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use earwitness_collector::pages;

mod samples;

fn main() -> io::Result<()> {
    let out = env::args_os().nth(1).map_or_else(|| env::temp_dir().join("earwitness-gallery"), PathBuf::from);
    for asset in &pages::assets::ASSETS {
        write(&out.join(asset.path.trim_start_matches('/')), asset.body)?;
    }
    for (folder, kind) in [
        ("typical", samples::Kind::Typical),
        ("empty", samples::Kind::Empty),
        ("hostile", samples::Kind::Hostile),
    ] {
        for (name, html) in samples::pages(kind) {
            // A page from disk has no server: its assets are one folder up.
            let html = html.replace("\"/static/", "\"../static/");
            write(&out.join(folder).join(format!("{name}.html")), &html)?;
        }
    }
    Ok(())
}

fn write(path: &Path, content: &str) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, content)
}
