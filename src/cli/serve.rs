//! `earwitness serve`: the recognizer for other programs.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use anyhow::{Context, Result};
use earwitness::models::ModelStore;
use earwitness::private_file;
use earwitness::runtime::Setup;
use earwitness::server::{Engine, ServerOptions, SpeechServer, Tokens};

use super::engine::EngineArgs;
use super::exit::{self, CliError, Exit};
use super::listen::stop_on_interrupt;
use super::service::Manager;

/// Serve the recognizer to other programs: OpenAI's audio routes, and Wyoming.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  earwitness serve --model tiny.en
  curl -F file=@talk.mp3 -F model=tiny.en http://127.0.0.1:8080/v1/audio/transcriptions
  OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=none python my_program.py
  earwitness serve --listen 0.0.0.0:8080 --token-file tokens.txt --model base

Routes: POST /v1/audio/transcriptions and /v1/audio/translations, GET /v1/models, /v1/realtime (websocket),
/health, /metrics.
A full queue answers 429 with Retry-After. Ctrl-C finishes what was taken; a second one ends at once.")]
pub struct Args {
    /// Address and port for HTTP; other machines can reach it only if you say so here, and then need a token.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Address and port for the Wyoming protocol (Home Assistant). It knows no tokens.
    #[arg(long, default_value = "127.0.0.1:10300", value_name = "ADDRESS")]
    wyoming: SocketAddr,
    /// Do not speak Wyoming.
    #[arg(long, conflicts_with = "wyoming")]
    no_wyoming: bool,
    /// File with the accepted bearer tokens, one a line, readable by you alone [env: EARWITNESS_SERVE_TOKENS, separated by commas].
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Recordings that are transcribed at the same time, each with its own threads [default: 1].
    #[arg(long, value_name = "N", default_value = "1")]
    engines: NonZeroU16,
    /// Requests that may wait before others are refused with 429.
    #[arg(long, default_value_t = 32, value_name = "N")]
    max_queued: u16,
    /// Largest upload, MiB.
    #[arg(long, default_value_t = 25, value_name = "MIB", value_parser = clap::value_parser!(u16).range(1..=2048))]
    max_upload_mib: u16,
    #[command(flatten)]
    engine: EngineArgs,
}

pub fn run(args: &Args) -> Result<()> {
    let tokens = tokens(args)?;
    if !args.listen.ip().is_loopback() && tokens.is_empty() {
        let message = format!(
            "{} can be reached by other machines: give --token-file, or listen on 127.0.0.1",
            args.listen
        );
        return Err(CliError::new(Exit::Usage, message).into());
    }
    let wyoming = (!args.no_wyoming).then_some(args.wyoming);
    if wyoming.is_some_and(|address| !address.ip().is_loopback()) {
        tracing::warn!("Wyoming knows no tokens: every machine that reaches {} may use it", args.wyoming);
    }
    let mut engines = Vec::new();
    for _ in 0..args.engines.get() {
        let engine = args.engine.load()?;
        engines.push(Engine { recognizer: engine.recognizer, endpointer: engine.endpointer });
    }
    let options = ServerOptions {
        listen: args.listen,
        wyoming,
        tokens,
        max_body_bytes: usize::from(args.max_upload_mib) << 20,
        max_queued: usize::from(args.max_queued),
    };
    let profile = args.engine.profile()?;
    let detector = Box::new(move || {
        let store = ModelStore::open_default().map_err(|e| e.to_string())?;
        Setup::new(&profile, &store).detector().map_err(|e| e.to_string())
    });
    let stop = stop_on_interrupt()?;
    let manager = Manager::of_environment();
    SpeechServer::new(engines, detector, options)?.run(&stop, |listening| {
        let wyoming = listening.wyoming.map_or_else(String::new, |a| format!(" and tcp://{a} (Wyoming)"));
        let address = format!("Serving on http://{}/v1{wyoming}", listening.http);
        exit::eprint_line(&format!("{address}. Ctrl-C ends."));
        manager.tell(&format!("READY=1\nSTATUS={address}"));
    })?;
    manager.tell("STOPPING=1");
    Ok(())
}

/// Tokens never stand on the command line, where other users can read them.
fn tokens(args: &Args) -> Result<Tokens> {
    const VARIABLE: &str = "EARWITNESS_SERVE_TOKENS";
    let text = match &args.token_file {
        Some(path) => String::from_utf8(private_file::read(path)?).context("the token file is not text")?,
        None => std::env::var(VARIABLE).unwrap_or_default().replace(',', "\n"),
    };
    let tokens = Tokens::new(text.lines());
    if tokens.is_empty() && args.token_file.is_some() {
        return Err(CliError::new(Exit::Usage, "the token file holds no token").into());
    }
    Ok(tokens)
}
