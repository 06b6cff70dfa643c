//! Speech recognition at the edge that proves itself in the field.
//!
//! Audio becomes frames, frames become utterances, utterances become text, all on this device:
//!
//! ```text
//! audio ──► vad ──► endpoint ──► asr::whisper ──► text and timings
//!   ▲                                  ▲
//! microphone, file, pipe             models (catalogue, checksums, cache)
//! ```
//! | module | what it does |
//! |---|---|
//! | [`audio`] | microphone, files, resampling to 16 kHz mono, levels |
//! | [`vad`] | how likely a frame holds speech: Silero, WebRTC, energy |
//! | [`endpoint`] | where utterances begin and end |
//! | [`asr`] | an utterance to a transcript: Whisper on candle |
//! | [`pipeline`] | the above on threads, with events and timings |
//! | [`isa`] | the processor's instruction sets, chosen at run time |
//! | [`models`] | weights by name: download, checksum, cache, import |
//! | [`actions`] | what is done with a text, and what the user made of it |
//! | [`uplink`] | utterances kept on disk until they are answered; metrics for a collector of others |
//! | [`recorder`] | what the pipeline tells, as records in figures |
//! | [`runtime`] | all of it set up as a profile says |
//! | [`device`] | memory, processor, temperature, disk |
//! | [`scoring`] | text normalization, word error rate |
//! | `server` | the recognizer for other programs: OpenAI's routes, Wyoming (feature `serve`) |
//! | [`subtitles`] | timed text as SubRip and WebVTT |
//! | [`config`] | device profiles |
//! | [`private_file`] | files with secrets |
//! | `web` | what the clients of web services share: keys, addresses (features `cloud`, `telemetry`) |
//!
//! See [`pipeline::Pipeline`] for an example that transcribes a recording utterance by utterance.

pub mod actions;
pub mod asr;
pub mod audio;
pub mod config;
pub mod device;
pub mod endpoint;
pub mod isa;
pub mod models;
pub mod pipeline;
pub mod private_file;
pub mod recorder;
pub mod runtime;
pub use earwitness_scoring as scoring;
pub use earwitness_telemetry as telemetry;
#[cfg(feature = "serve")]
pub mod server;
pub mod subtitles;
pub mod uplink;
pub mod utterance;
pub mod vad;
#[cfg(any(feature = "cloud", feature = "telemetry"))]
pub mod web;
