//! Style sheet, script and icon, in the binary: nothing to install, nothing from elsewhere.

/// A file that pages refer to.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Where it is served.
    pub path: &'static str,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its content.
    pub body: &'static str,
}

/// All of them. Pages add `?v=` and the crate's version, so that they may be cached.
pub static ASSETS: [Asset; 3] = [
    Asset {
        path: "/static/app.css",
        content_type: "text/css; charset=utf-8",
        body: include_str!("../../static/app.css"),
    },
    Asset {
        path: "/static/adjudicate.js",
        content_type: "text/javascript; charset=utf-8",
        body: include_str!("../../static/adjudicate.js"),
    },
    Asset {
        path: "/static/icon.svg",
        content_type: "image/svg+xml",
        body: include_str!("../../static/icon.svg"),
    },
];

/// What `?v=` has.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The asset served at `path`.
pub fn asset(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}
