//! Bodies within bounds: room for them first, then the bytes, within a time.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use earwitness_telemetry::limits::MAX_BATCH_BYTES;
use tokio::sync::OwnedSemaphorePermit;

use super::{ApiError, App};
use crate::ingest::Encoding;

/// How the body is compressed.
pub(super) fn encoding(headers: &HeaderMap) -> Result<Encoding, ApiError> {
    match headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("")) {
        None | Some("identity") => Ok(Encoding::Identity),
        Some("zstd") => Ok(Encoding::Zstd),
        Some(_) => {
            Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a body is sent as it is, or with zstd"))
        }
    }
}

/// Reads a body of at most `limit` bytes. Where it says that it has more, nothing of it is kept. It waits for
/// nobody: without room for it the client comes again later.
pub(super) async fn read(
    app: &App,
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<Bytes, ApiError> {
    let too_large =
        || ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {limit} bytes"));
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        drain(app, body).await;
        return Err(too_large());
    }
    // A body that does not say how long it is may be as long as it can.
    let wanted = u32::try_from(announced.unwrap_or(limit)).unwrap_or(u32::MAX);
    let Ok(_room) = app.room.try_acquire_many(wanted) else {
        drain(app, body).await;
        let message = "the server is busy: send it again later";
        return Err(ApiError::busy(StatusCode::SERVICE_UNAVAILABLE, message, 1));
    };
    let whole =
        tokio::time::timeout(app.settings.limits.body_timeout, Limited::new(body, limit).collect()).await;
    match whole {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        // Not the content is at fault: a device that is told 4xx would give it up.
        Ok(Err(_)) => Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "the body was cut: send it again")),
        Err(_) => Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly")),
    }
}

/// Room for a batch as large as any may be when it is decompressed.
pub(super) async fn room_to_decode(app: &App) -> Result<OwnedSemaphorePermit, ApiError> {
    let most = MAX_BATCH_BYTES.min(app.settings.limits.max_body_bytes_in_flight);
    let room = app.decoded.clone().acquire_many_owned(u32::try_from(most).unwrap_or(u32::MAX));
    match tokio::time::timeout(app.settings.limits.body_timeout, room).await {
        Ok(Ok(room)) => Ok(room),
        _ => {
            Err(ApiError::busy(StatusCode::SERVICE_UNAVAILABLE, "the server is busy: send it again later", 1))
        }
    }
}

/// Bytes of a refused body that are read and forgotten.
const MAX_DRAINED: usize = 16 << 20;

/// Reads a refused body to its end, keeping nothing: a client that is still sending when the connection closes does not
/// see the answer, which says what to do.
async fn drain(app: &App, mut body: Body) {
    let read = async {
        let mut left = MAX_DRAINED;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Slow ones are cut off all the same.
    let _ = tokio::time::timeout(app.settings.limits.body_timeout, read).await;
}
