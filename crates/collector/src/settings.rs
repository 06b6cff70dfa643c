//! How a server is set up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use earwitness_scoring::fleet::{Margin, SamplingDesign};

use crate::store::{Retention, StoreOptions};

/// Everything that [`Server::start`](crate::Server::start) needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The database.
    pub store: StoreOptions,
    /// A folder, or `s3://BUCKET/PREFIX`.
    pub clips: String,
    /// The server key, made if it is not there. Servers that share a database share it.
    pub key_file: PathBuf,
    /// Certificate chain and key, PEM: TLS is spoken. Without it only loopback, or behind a proxy.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Behind a proxy that speaks TLS: cookies are marked secure.
    pub behind_tls: bool,
    /// How long what is kept.
    pub retention: Retention,
    /// Bounds.
    pub limits: RequestLimits,
    /// How much worse the shadow may be and still count as not worse. Half a point: half a word in a hundred is below what
    /// users notice.
    pub margin: Margin,
    /// Which pairs people are asked to judge: the probability for each word edit between the texts, and that of texts
    /// which agree. 0.25 and 0.01: every disagreement of four words, one of four of a single word.
    pub sampling: SamplingDesign,
    /// A device counts as silent after this long.
    pub silent_after: Duration,
}

/// Bounds on what clients may ask.
#[derive(Clone, Debug)]
pub struct RequestLimits {
    /// Requests of one device in a second, on average. 20: a device that catches up sends ten batches in a second.
    pub requests_per_s: u32,
    /// Above it for a moment.
    pub burst: u32,
    /// Failed authentications of one address in a minute.
    pub refusals_per_minute: u32,
    /// Bytes of bodies that are read at the same time; as many again of batches that are decompressed and not stored yet.
    pub max_body_bytes_in_flight: usize,
    /// A body must be there within.
    pub body_timeout: Duration,
    /// A request's head must be there within.
    pub head_timeout: Duration,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            requests_per_s: 20,
            burst: 100,
            refusals_per_minute: 60,
            max_body_bytes_in_flight: 64 << 20,
            body_timeout: Duration::from_secs(30),
            head_timeout: Duration::from_secs(10),
        }
    }
}

impl Settings {
    /// A server on loopback that keeps all in `folder`.
    pub fn in_folder(folder: &std::path::Path) -> Self {
        let path = |name: &str| folder.join(name);
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8090)),
            store: StoreOptions::new(&format!("sqlite:{}", path("earwitness.db").display())),
            clips: path("clips").display().to_string(),
            key_file: path("server.key"),
            tls: None,
            behind_tls: false,
            retention: Retention::default(),
            limits: RequestLimits::default(),
            margin: Margin::default(),
            sampling: SamplingDesign { per_edit: 0.25, agreeing: 0.01 },
            silent_after: Duration::from_secs(15 * 60),
        }
    }
}
