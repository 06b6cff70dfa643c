//! `POST /feedback` on an address of this machine, for the program that shows the texts.

use std::net::{SocketAddr, TcpListener};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

use super::auth::Tokens;

/// A verdict has a hundred bytes.
const MAX_BODY_BYTES: usize = 4 << 10;

/// Serves until the process ends, from a thread of its own; `take` gets each body and says what is wrong with it.
/// Returns the address, with the port that was chosen if it was 0.
///
/// # Errors
/// If the address cannot be listened to.
pub fn serve_feedback(
    address: SocketAddr,
    take: impl Fn(&str) -> Result<(), String> + Clone + Send + Sync + 'static,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    let answer = move |headers: HeaderMap, body: String| {
        let take = take.clone();
        async move {
            // Pages of other origins have no say.
            if Tokens::default().check(&headers).is_err() {
                return (
                    StatusCode::FORBIDDEN,
                    "web pages of other origins may not send feedback".to_owned(),
                );
            }
            match take(&body) {
                Ok(()) => (StatusCode::NO_CONTENT, String::new()),
                Err(why) => (StatusCode::BAD_REQUEST, why),
            }
        }
    };
    let app = Router::new().route("/feedback", post(answer)).layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("feedback".to_owned()).spawn(move || {
        runtime.block_on(async {
            let served = match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => axum::serve(listener, app).await,
                Err(error) => Err(error),
            };
            if let Err(error) = served {
                tracing::error!(%error, "feedback is not taken any more");
            }
        });
    })?;
    Ok(bound)
}
