//! The server: a socket, the routes, and the work that goes on beside them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio::sync::{Semaphore, watch};

use crate::api::{self, App, Limits, Metrics, Shared};
use crate::clips::{Clips, ClipsError};
use crate::settings::Settings;
use crate::store::{EraseScope, Receipt, Role, Store, StoreError};
use crate::vault::{Vault, VaultError};
use crate::web;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken or not of this machine.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// Anybody on the network could read along.
    #[error(
        "{0} can be reached from elsewhere, and tokens would travel unencrypted: give --tls-cert and --tls-key, or \
         say --behind-tls-proxy if a proxy in front of it speaks TLS"
    )]
    Unencrypted(SocketAddr),
    /// The certificate or its key.
    #[error("cannot use the certificate {} with its key: {source}", path.display())]
    Tls {
        /// Of the certificate.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The server key.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The clip store.
    #[error(transparent)]
    Clips(#[from] ClipsError),
    /// While it ran.
    #[error("the server failed: {0}")]
    Serve(#[source] io::Error),
}

/// A server that listens.
pub struct Server {
    app: Shared,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<RustlsConfig>,
    handle: Handle<SocketAddr>,
}

/// Ends a server from elsewhere.
#[derive(Clone)]
pub struct StopHandle(Handle<SocketAddr>);

impl StopHandle {
    /// Takes no more connections; requests under way have `patience` to finish.
    pub fn stop(&self, patience: Duration) {
        self.0.graceful_shutdown(Some(patience));
    }
}

/// How often what came is looked at, when nothing did a moment ago.
const DERIVE_EVERY: Duration = Duration::from_millis(500);
/// While batches wait, roll-ups get one part of the time and batches this many.
const GIVE_WAY: u32 = 4;
/// How often what is too old is deleted.
const EXPIRE_EVERY: Duration = Duration::from_secs(3600);

impl Server {
    /// Opens the store and the socket.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn start(settings: Settings) -> Result<Self, ServerError> {
        let open = settings.listen.ip().is_loopback() || settings.tls.is_some() || settings.behind_tls;
        if !open {
            return Err(ServerError::Unencrypted(settings.listen));
        }
        let failed = |source| ServerError::Listen { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let tls = match &settings.tls {
            Some((cert, key)) => {
                // May be set already, by whoever embeds this; then theirs is used.
                let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
                let config = RustlsConfig::from_pem_file(cert, key).await;
                Some(config.map_err(|source| ServerError::Tls { path: cert.clone(), source })?)
            }
            None => None,
        };
        let vault = Vault::open(&settings.key_file)?;
        let store = Store::open(&settings.store, vault).await?;
        let app = Arc::new(App {
            store,
            clips: Clips::open(&settings.clips)?,
            limits: Limits::new(&settings.limits),
            metrics: Metrics::new(),
            room: Arc::new(Semaphore::new(settings.limits.max_body_bytes_in_flight)),
            decoded: Arc::new(Semaphore::new(settings.limits.max_body_bytes_in_flight)),
            settings,
        });
        Ok(Self { app, listener, address, tls, handle: Handle::new() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its store.
    pub fn store(&self) -> &Store {
        &self.app.store
    }

    /// Ends it.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(self.handle.clone())
    }

    /// If nobody may look yet, appoints the administrator `admin`; gives their access key, which is shown once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_admin(&self) -> Result<Option<String>, StoreError> {
        match self.app.store.people().await?.is_empty() {
            true => Ok(Some(self.app.store.appoint("admin", Role::Admin).await?)),
            false => Ok(None),
        }
    }

    /// Serves until it is stopped; what was accepted is stored.
    ///
    /// # Errors
    /// [`ServerError::Serve`].
    pub async fn run(self) -> Result<(), ServerError> {
        let (stop, stopped) = watch::channel(false);
        let beside = [
            tokio::spawn(derive(Arc::clone(&self.app), stopped.clone())),
            tokio::spawn(maintain(Arc::clone(&self.app), stopped)),
        ];
        let service = routes(Arc::clone(&self.app)).into_make_service_with_connect_info::<SocketAddr>();
        let head_timeout = self.app.settings.limits.head_timeout;
        macro_rules! serve {
            ($server:expr) => {{
                let mut server = $server.handle(self.handle.clone());
                let timer = hyper_util::rt::TokioTimer::new();
                server.http_builder().http1().timer(timer).header_read_timeout(head_timeout);
                server.serve(service).await
            }};
        }
        let served = match self.tls {
            Some(tls) => match axum_server::from_tcp_rustls(self.listener, tls) {
                Ok(server) => serve!(server),
                Err(error) => Err(error),
            },
            None => match axum_server::from_tcp(self.listener) {
                Ok(server) => serve!(server),
                Err(error) => Err(error),
            },
        };
        // Nobody listens any more if both have ended.
        let _ = stop.send(true);
        for task in beside {
            let _ = task.await;
        }
        self.app.store.clone().close().await;
        served.map_err(ServerError::Serve)
    }
}

fn routes(app: Shared) -> Router {
    Router::new()
        .merge(api::routes())
        .merge(web::routes())
        .layer(middleware::from_fn(headers))
        .with_state(app)
}

/// What every answer says to browsers.
async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(crate::pages::CSP));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Takes what came into the roll-ups; gives way to batches that wait to be stored.
async fn derive(app: Shared, mut stopped: watch::Receiver<bool>) {
    loop {
        let begin = Instant::now();
        let seen = match app.store.derive().await {
            Ok(seen) => seen,
            Err(error) => {
                tracing::error!(%error, "records could not be taken into the roll-ups");
                0
            }
        };
        app.metrics.derived.inc_by(seen);
        let pause = match seen {
            0 => DERIVE_EVERY,
            _ if app.store.waiting() > 0 => begin.elapsed() * GIVE_WAY,
            _ => Duration::from_millis(1),
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopped.changed() => return,
        }
    }
}

/// Deletes what is too old.
async fn maintain(app: Shared, mut stopped: watch::Receiver<bool>) {
    loop {
        app.limits.tidy();
        if let Err(error) = app.store.expire(&app.settings.retention).await {
            tracing::error!(%error, "old records could not be deleted");
        }
        if let Err(error) = app.clips.sweep(&app.store).await {
            tracing::error!(%error, "clips that must go could not be deleted yet: it is tried again");
        }
        tokio::select! {
            () = tokio::time::sleep(EXPIRE_EVERY) => {}
            _ = stopped.changed() => return,
        }
    }
}

impl App {
    /// Erases, files and objects included, and notes who asked. It goes on to its end even if who asked is gone.
    pub(crate) async fn erase(&self, scope: &EraseScope, asked_by: &str) -> Result<Receipt, StoreError> {
        let (store, clips) = (self.store.clone(), self.clips.clone());
        let (scope, asked_by) = (scope.clone(), asked_by.to_owned());
        let erasing = tokio::spawn(async move {
            let receipt = store.erase(&scope, &asked_by).await?;
            store.note(&asked_by, "erase", &receipt.receipt_id).await?;
            // The keys are destroyed: what is left without them is noise. The next round of upkeep tries again.
            if let Err(error) = clips.sweep(&store).await {
                tracing::error!(%error, "erased clips could not be deleted yet; it is tried again");
            }
            store.scrub().await?;
            Ok(receipt)
        });
        erasing.await.unwrap_or_else(|_| Err(StoreError::Damaged("the erasure ended early".to_owned())))
    }
}
