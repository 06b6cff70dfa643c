//! `POST /v1/audio/transcriptions` and `/translations`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Multipart, Request, State};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::Shared;
use super::error::ApiError;
use super::form::Form;
use super::pool::{Job, JobAudio, Place, Update};
use super::render::Answer;
use crate::asr::whisper::Task;

/// An upload must be complete within this: 25 MB over a line of 1 Mbit/s.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(240);

/// A refused upload is read for at most this long.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn transcriptions(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    answer(&shared, request, Task::Transcribe, "transcriptions").await
}

pub(super) async fn translations(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    answer(&shared, request, Task::Translate, "translations").await
}

async fn answer(shared: &Arc<Shared>, request: Request, task: Task, route: &str) -> Response {
    let response = match serve(shared, request, task).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    shared.metrics.answered(route, response.status().as_u16());
    response
}

async fn serve(shared: &Arc<Shared>, request: Request, task: Task) -> Result<Response, ApiError> {
    let limit = shared.max_body_bytes;
    // Before the body is read: what cannot be worked on is not held in memory.
    let allowed = shared
        .tokens
        .check(request.headers())
        .and_then(|()| shared.pool.reserve().ok_or_else(|| ApiError::busy(shared.pool.retry_after())));
    let place = match allowed {
        Ok(place) => place,
        Err(error) => {
            discard(request, limit).await;
            return Err(error);
        }
    };
    let parts = Multipart::from_request(request, &()).await.map_err(|error| {
        ApiError::invalid("file", format!("this route wants a multipart form: {}", error.body_text()))
    })?;
    let read = tokio::time::timeout(UPLOAD_TIMEOUT, Form::read(parts, limit)).await;
    let mut form = read.map_err(|_| ApiError::too_slow())??;
    shared.check_model(form.model.as_deref())?;
    let missing = || ApiError::invalid("file", "the form has no part `file` with a recording");
    let file = form.file.take().ok_or_else(missing)?;
    let options = form.options(&shared.options, task, shared.multilingual)?;
    let updates = submit(shared, place, JobAudio::File(file), options);
    if form.stream {
        return streamed(updates).await;
    }
    Ok(collect(updates).await?.respond(&form, task))
}

/// Reads a body that is not wanted, piece by piece: many clients send all of it before they read, and would see a
/// broken connection instead of the answer.
async fn discard(request: Request, limit: usize) {
    let mut body = request.into_body().into_data_stream();
    let drain = async {
        let mut left = limit;
        while let Some(Ok(block)) = body.next().await
            && left > 0
        {
            left = left.saturating_sub(block.len());
        }
    };
    // Who is slower than this gets the answer at once, and may miss it.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, drain).await;
}

/// Hands a job to the engines.
pub(super) fn submit(
    shared: &Shared,
    place: Place,
    audio: JobAudio,
    options: crate::asr::whisper::DecodingOptions,
) -> UnboundedReceiver<Update> {
    let (updates, received) = unbounded_channel();
    shared.pool.submit(Job { audio, options, updates, place });
    received
}

/// What has come of an answer so far.
pub(super) type Collected = Answer;

/// The whole answer.
pub(super) async fn collect(mut updates: UnboundedReceiver<Update>) -> Result<Answer, ApiError> {
    let mut collected = Collected::default();
    while let Some(update) = updates.recv().await {
        match update {
            Update::Segments { segments, language } => drop(collected.add(segments, language)),
            Update::Done(result) => return Ok(Answer { seconds: result?, ..collected }),
        }
    }
    Err(ApiError::internal("the engine ended before its answer"))
}

/// An answer as server-sent events: a delta for each utterance, and the whole at the end. What cannot be heard at
/// all is still an answer with its own status.
async fn streamed(mut updates: UnboundedReceiver<Update>) -> Result<Response, ApiError> {
    let first = match updates.recv().await {
        Some(Update::Done(Err(error))) => return Err(error.into()),
        first => first,
    };
    let mut answer = Collected::default();
    let events =
        tokio_stream::iter(first).chain(UnboundedReceiverStream::new(updates)).flat_map(move |update| {
            let messages = next(&mut answer, update);
            tokio_stream::iter(
                messages.into_iter().map(|data| Ok::<_, Infallible>(Event::default().data(data))),
            )
        });
    Ok(Sse::new(events).into_response())
}

/// The messages that an update becomes.
fn next(answer: &mut Collected, update: Update) -> Vec<String> {
    match update {
        Update::Segments { segments, language } => match answer.add(segments, language) {
            Some(delta) => vec![json!({ "type": "transcript.text.delta", "delta": delta }).to_string()],
            None => Vec::new(),
        },
        Update::Done(Ok(seconds)) => {
            answer.seconds = seconds;
            let done = json!({
                "type": "transcript.text.done", "text": answer.text(), "usage": answer.usage(),
            });
            vec![done.to_string(), "[DONE]".to_owned()]
        }
        Update::Done(Err(error)) => vec![ApiError::from(error).body().to_string()],
    }
}
