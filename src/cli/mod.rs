//! The command line: arguments to config to pipeline to print. One file per subcommand.
//!
//! stdout carries results only; messages, progress and logs go to stderr.

mod act;
mod bench;
mod board;
#[cfg(feature = "collect")]
mod collect;
mod compare;
mod compare_html;
mod demo;
#[cfg(all(feature = "collect", feature = "telemetry"))]
mod demo_fleet;
mod devices;
mod doctor;
mod engine;
mod evaluate;
mod exit;
mod formats;
mod listen;
mod models;
mod printer;
mod resources;
#[cfg(feature = "serve")]
mod serve;
mod service;
mod source;
mod spool;
#[cfg(feature = "telemetry")]
mod telemetry;
mod transcribe;
mod waits;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Speech recognition on this device, from microphone or file to text.
#[derive(Parser)]
#[command(version, about, long_about = None, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// More messages on stderr: -v info, -vv debug, -vvv trace (or set EARWITNESS_LOG).
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

const EXAMPLES: &str = "\
Examples:
  earwitness demo                                 hear a recorded reading, as if spoken now
  earwitness listen                               transcribe the microphone
  earwitness transcribe talk.mp3                  print the text
  earwitness transcribe *.wav -f srt -o out/      write subtitles
  earwitness serve --model tiny.en                OpenAI-compatible speech server on this machine
  earwitness collect                              collection server with a dashboard, for many devices
  earwitness evaluate manifest.jsonl              word error rate on labelled recordings
  earwitness doctor                               what is missing on this machine

Exit codes: 0 done, 1 internal error, 2 wrong usage, 3 audio cannot be read, 4 model missing or damaged,
5 network, 6 microphone, 7 profile or manifest not valid, 8 disk, 9 some files failed and the rest are done.";

#[derive(Subcommand)]
enum Command {
    /// Transcribe recordings.
    Transcribe(transcribe::Args),
    /// Transcribe the microphone, or a recording replayed as if spoken now.
    Listen(listen::Args),
    /// Serve the recognizer to other programs.
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    /// Collect what devices report; compare recognizers; show the fleet.
    #[cfg(feature = "collect")]
    Collect(Box<collect::Args>),
    /// Look after kept utterances: list, send again, export, delete.
    Spool(spool::Args),
    /// What this device reports: enrol it, look at what waits, send it, erase it.
    #[cfg(feature = "telemetry")]
    Telemetry(telemetry::Args),
    /// List microphones.
    Devices(devices::Args),
    /// Check this machine: microphone, processor, models, disk.
    Doctor(doctor::Args),
    /// List, install, check and remove models.
    Models(models::ModelsArgs),
    /// Score a recognizer on labelled recordings.
    Evaluate(evaluate::Args),
    /// Measure speed and memory on this machine.
    Bench(bench::Args),
    /// Install what is missing and transcribe a recorded reading at real-time pace.
    Demo(demo::Args),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(cli.verbose);
    #[cfg(all(feature = "collect", feature = "telemetry"))]
    demo_fleet::end_with_parent();
    let result = match cli.command {
        Command::Transcribe(args) => transcribe::run(&args),
        Command::Listen(args) => listen::run(&args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(&args),
        #[cfg(feature = "collect")]
        Command::Collect(args) => collect::run(&args),
        Command::Spool(args) => spool::run(&args),
        #[cfg(feature = "telemetry")]
        Command::Telemetry(args) => telemetry::run(&args),
        Command::Devices(args) => devices::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Models(args) => models::run(&args, &mut std::io::stdout()),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Demo(args) => demo::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error),
    }
}

fn start_logging(verbose: u8) {
    let default = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("EARWITNESS_LOG").unwrap_or_else(|_| {
        // Symphonia tells of every odd tag, the PulseAudio client of every good-bye; what matters is in our own.
        tracing_subscriber::EnvFilter::new(format!("{default},symphonia=error,pulseaudio=off"))
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
