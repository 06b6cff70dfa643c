//! Files over HTTP: resumed, retried, digested while they stream.
//!
//! A transfer is written to `FILE.part`; beside it `FILE.part.etag` keeps the address and the strong ETag of what was
//! begun. The next try asks for the rest with `Range`, and with `If-Range` when the ETag is for the same address, so that a
//! file that changed on the server starts over. Without an ETag only a file with a pinned digest is resumed. If a resumed
//! file turns out wrong it is fetched once more from its beginning before that is an error.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use tokio::runtime::{Builder, Runtime};

use super::{Addresses, HubToken, Job, PullEvent};
use crate::models::catalog::{FileSpec, Sha256Hex};
use crate::models::error::ModelError;
use crate::models::verify::HashingWriter;

/// Longest pause between tries.
const MAX_BACKOFF: Duration = Duration::from_secs(8);
/// As many redirects as browsers' stricter half allow.
const MAX_REDIRECTS: usize = 10;

/// Stages every missing file from its address. `token` is sent to the first host only, not where it redirects.
pub(super) fn fetch(
    job: &mut Job<'_>,
    origin: &str,
    addresses: &Addresses,
    token: Option<&HubToken>,
) -> Result<(), ModelError> {
    let missing = job.missing();
    let Some(first) = missing.iter().find_map(|spec| addresses.get(&spec.name)) else { return Ok(()) };
    job.disclose(&host_of(first), origin);
    let connection = Connection::new(job)?;
    let done = missing.into_iter().try_for_each(|spec| {
        let address = addresses.get(&spec.name).map_or("", String::as_str);
        connection.fetch_file(job, &Transfer { address, origin, token, spec, part: job.part_path(spec) })
    });
    // A name lookup that hangs must not hold the program back.
    connection.runtime.shutdown_background();
    done
}

/// One file's way from an address to its `.part`.
struct Transfer<'a> {
    address: &'a str,
    origin: &'a str,
    token: Option<&'a HubToken>,
    spec: &'a FileSpec,
    part: PathBuf,
}

/// Whether another try may help.
enum Failure {
    Transient(ModelError),
    Final(ModelError),
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::Final(error)
    }
}

impl Transfer<'_> {
    /// Bytes an earlier try left; 0 if they cannot be trusted to belong to this file.
    fn present(&self) -> u64 {
        let usable = self.spec.sha256.is_some() || self.etag().is_some();
        let length = self.part.metadata().map_or(0, |m| m.len());
        if usable && self.spec.bytes.is_none_or(|bytes| length <= bytes) { length } else { 0 }
    }

    fn etag_path(&self) -> PathBuf {
        let mut path = self.part.clone().into_os_string();
        path.push(".etag");
        path.into()
    }

    /// The ETag noted for this very address.
    fn etag(&self) -> Option<String> {
        let note = fs::read_to_string(self.etag_path()).ok()?;
        let (address, etag) = note.split_once('\n')?;
        (address == self.address).then(|| etag.to_owned())
    }

    /// Notes a strong ETag; a weak one promises nothing about bytes.
    fn note_etag(&self, response: &Response) -> Result<(), ModelError> {
        let path = self.etag_path();
        let etag =
            response.headers().get(ETAG).and_then(|v| v.to_str().ok()).filter(|tag| tag.starts_with('"'));
        match etag {
            Some(etag) => fs::write(&path, format!("{}\n{etag}", self.address))
                .map_err(|e| ModelError::io("write", &path, e)),
            None => remove_if_there(&path),
        }
    }

    fn broke_off(&self, error: reqwest::Error) -> Failure {
        let url = without_query(self.address);
        Failure::Transient(ModelError::Transfer { url, source: error.without_url().into() })
    }
}

struct Connection {
    runtime: Runtime,
    client: Client,
    attempts: u32,
    backoff: Duration,
}

impl Connection {
    fn new(job: &Job<'_>) -> Result<Self, ModelError> {
        let unusable = |source: Box<dyn std::error::Error + Send + Sync>| ModelError::Unreachable {
            host: "the network".into(),
            source,
        };
        let client = Client::builder()
            .connect_timeout(job.settings.connect_timeout)
            .read_timeout(job.settings.read_timeout)
            .user_agent(concat!("earwitness/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::custom(follow))
            .build()
            .map_err(|e| unusable(e.into()))?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| unusable(e.into()))?;
        Ok(Self { runtime, client, attempts: job.settings.attempts.max(1), backoff: job.settings.backoff })
    }

    /// Stages one file; a resumed one that turns out wrong gets a second chance from its beginning.
    fn fetch_file(&self, job: &mut Job<'_>, transfer: &Transfer<'_>) -> Result<(), ModelError> {
        let resumed = transfer.present() > 0;
        match self.transfer_and_accept(job, transfer) {
            Err(ModelError::Checksum { .. } | ModelError::WrongSize { .. }) if resumed => {
                tracing::warn!(
                    file = transfer.spec.name,
                    "the resumed file is wrong; fetching it from its beginning"
                );
                self.transfer_and_accept(job, transfer)
            }
            result => result,
        }
    }

    fn transfer_and_accept(&self, job: &mut Job<'_>, transfer: &Transfer<'_>) -> Result<(), ModelError> {
        let (bytes, sha256) = self.transfer(job, transfer)?;
        remove_if_there(&transfer.etag_path())?;
        job.accept(transfer.spec, bytes, &sha256, transfer.origin)
    }

    /// Tries until the `.part` is complete; only tries in a row without a new byte count against the limit.
    fn transfer(&self, job: &mut Job<'_>, transfer: &Transfer<'_>) -> Result<(u64, Sha256Hex), ModelError> {
        let (mut fruitless, mut reached) = (0, transfer.present());
        loop {
            let error = match self.runtime.block_on(self.attempt(job, transfer)) {
                Ok(done) => return Ok(done),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Transient(error)) => error,
            };
            let present = transfer.present();
            fruitless = if present > reached { 1 } else { fruitless + 1 };
            reached = reached.max(present);
            if fruitless >= self.attempts {
                return Err(error);
            }
            let pause = self.backoff.saturating_mul(1 << (fruitless - 1).min(8)).min(MAX_BACKOFF);
            tracing::warn!(%error, ?pause, present, file = transfer.spec.name, "trying again");
            std::thread::sleep(pause);
        }
    }

    async fn attempt(&self, job: &mut Job<'_>, transfer: &Transfer<'_>) -> Result<(u64, Sha256Hex), Failure> {
        let present = transfer.present();
        if present > 0 && transfer.spec.bytes == Some(present) {
            return Ok(absorb(&transfer.part, present)?.finish_synced(&transfer.part)?);
        }
        let response = self.ask(transfer, present).await?;
        let from = match response.status() {
            StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(present) => present,
            StatusCode::OK => 0,
            _ => {
                remove_if_there(&transfer.part)?;
                return Err(refused(transfer, response.status()));
            }
        };
        let mut sink = absorb(&transfer.part, from)?;
        transfer.note_etag(&response)?;
        let total = response.content_length().map(|rest| from + rest);
        job.progress.on_event(PullEvent::FileStarted {
            file: &transfer.spec.name,
            total: transfer.spec.bytes.or(total),
            present: from,
        });
        self.receive(job, transfer, response, &mut sink).await?;
        Ok(sink.finish_synced(&transfer.part)?)
    }

    /// Sends the request; an error status is an error here, except that the caller judges 200, 206 and 416.
    async fn ask(&self, transfer: &Transfer<'_>, present: u64) -> Result<Response, Failure> {
        let mut request = self.client.get(transfer.address);
        if let Some(token) = transfer.token {
            request = request.bearer_auth(&token.0);
        }
        if present > 0 {
            request = request.header(RANGE, format!("bytes={present}-"));
            if let Some(etag) = transfer.etag() {
                request = request.header(IF_RANGE, etag);
            }
        }
        let response = request.send().await.map_err(|error| {
            match error.is_connect() && present == 0 || error.is_builder() {
                true => Failure::Final(ModelError::Unreachable {
                    host: host_of(transfer.address),
                    source: error.without_url().into(),
                }),
                false => transfer.broke_off(error),
            }
        })?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => Ok(response),
            status => Err(refused(transfer, status)),
        }
    }

    async fn receive(
        &self,
        job: &mut Job<'_>,
        transfer: &Transfer<'_>,
        mut response: Response,
        sink: &mut HashingWriter<File>,
    ) -> Result<(), Failure> {
        while let Some(block) = response.chunk().await.map_err(|e| transfer.broke_off(e))? {
            sink.write_all(&block).map_err(|e| ModelError::io("write", &transfer.part, e))?;
            job.progress.on_event(PullEvent::Advanced(block.len() as u64));
            if transfer.spec.bytes.is_some_and(|bytes| sink.written() > bytes) {
                break; // Too long already: the check of the length says so.
            }
        }
        Ok(())
    }
}

/// Opens the `.part` with exactly its first `from` bytes kept and digested.
fn absorb(part: &Path, from: u64) -> Result<HashingWriter<File>, ModelError> {
    let fail = |e| ModelError::io("write", part, e);
    let file = OpenOptions::new().create(true).append(true).open(part).map_err(fail)?;
    file.set_len(from).map_err(fail)?;
    let mut sink = HashingWriter::new(file);
    sink.absorb(File::open(part).map_err(fail)?).map_err(fail)?;
    Ok(sink)
}

impl HashingWriter<File> {
    fn finish_synced(self, path: &Path) -> Result<(u64, Sha256Hex), ModelError> {
        let (file, bytes, sha256) = self.finish();
        file.sync_all().map_err(|e| ModelError::io("write", path, e))?;
        Ok((bytes, sha256))
    }
}

/// Where a 206 says that its body begins.
fn range_start(response: &Response) -> Option<u64> {
    let value = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    value.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

/// Overload and server faults pass; a wrong range means starting over; the rest is for the user to settle.
fn refused(transfer: &Transfer<'_>, status: StatusCode) -> Failure {
    let advice = match status.as_u16() {
        401 | 403 => "; this repository needs an access token (set HF_TOKEN) or its terms accepted",
        404 | 410 => "; the file has moved: try another source with --source, or a newer earwitness",
        429 => "; the server limits requests: wait a few minutes",
        500.. => "; the server is in trouble: try later or another source with --source",
        _ => "; try another source with --source",
    };
    let error =
        ModelError::HttpStatus { url: without_query(transfer.address), status: status.as_u16(), advice };
    match status.as_u16() {
        206 | 408 | 416 | 429 | 500.. => Failure::Transient(error),
        _ => Failure::Final(error),
    }
}

/// Follows and discloses a redirect, but never from https to http.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let downgrade =
        attempt.url().scheme() != "https" && attempt.previous().iter().any(|url| url.scheme() == "https");
    if downgrade {
        return attempt.error("redirected from https to http");
    }
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error("too many redirects");
    }
    tracing::info!(host = attempt.url().host_str(), "the model source redirects");
    attempt.follow()
}

fn host_of(address: &str) -> String {
    Url::parse(address)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_else(|| address.to_owned())
}

fn without_query(address: &str) -> String {
    address.split(['?', '#']).next().unwrap_or(address).to_owned()
}

fn remove_if_there(path: &Path) -> Result<(), ModelError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(ModelError::io("delete", path, e)),
        _ => Ok(()),
    }
}
