//! `earwitness transcribe`: recordings to text.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use earwitness::asr::Recognizer;
use earwitness::asr::whisper::{WhisperRecognizer, join};
use earwitness::audio::{
    AudioSource, ChannelSelect, FileSource, PcmFormat, PcmLayout, SampleRate, open_stream,
};
use earwitness::config::Profile;
use earwitness::endpoint::Endpointer;
use earwitness::models::ModelStore;
use earwitness::pipeline::{Event, Pipeline, StopSignal};
use earwitness::runtime::Routing;
use indicatif::{ProgressBar, ProgressStyle};

use super::engine::EngineArgs;
use super::exit::{self, CliError, Exit};
use super::formats::{FileTimings, FileTranscript, Format, render};

/// Transcribe recordings: wav, flac, mp3, ogg, m4a, aiff, any rate, any number of channels.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  earwitness transcribe talk.mp3
  earwitness transcribe a.wav b.wav -f jsonl > all.jsonl
  earwitness transcribe lecture.m4a -f srt -o subtitles/
  ffmpeg -i film.mkv -f s16le -ar 16000 -ac 1 - | earwitness transcribe -
  earwitness transcribe rede.wav --model base --language de --translate

JSON (one object a file): file, text, language, segments [{start, end, text, tokens, temperature, avg_logprob,
no_speech_prob, compression_ratio, words?}], timings {audio_s, processing_s, vad_ms, queue_ms, log_mel_ms,
encode_ms, decode_ms, align_ms, cloud_ms, recognize_ms}. Times of segments are seconds.")]
pub struct Args {
    /// Recordings, or `-` for a recording or raw samples on stdin.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Output format.
    #[arg(short = 'f', long, alias = "output-format", alias = "output_format", value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write one file per recording into this folder instead of stdout.
    #[arg(short, long, alias = "output_dir", value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// Raw samples on stdin: u8, s16le, s24le, s32le or f32le.
    #[arg(long, default_value = "s16le", value_name = "LAYOUT")]
    raw_format: PcmLayout,
    /// Raw samples on stdin: frames per second.
    #[arg(long, default_value_t = 16_000, value_name = "HZ")]
    raw_rate: u32,
    /// Raw samples on stdin: channels.
    #[arg(long, default_value_t = 1, value_name = "N")]
    raw_channels: u16,
    #[command(flatten)]
    engine: EngineArgs,
}

pub fn run(args: &Args) -> Result<()> {
    if let Some(folder) = &args.output_dir {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    if let Some((a, b)) = same_output(args) {
        let message = format!(
            "{} and {} would be written to the same file: transcribe them into different folders",
            a.display(),
            b.display()
        );
        return Err(CliError::new(Exit::Usage, message).into());
    }
    let profile = args.engine.profile()?;
    let models = ModelStore::open_default()?;
    let setup = args.engine.setup(&profile, &models);
    let endpointer = setup.endpointer()?;
    let routing = Routing::recorded(&profile, &mut exit::eprint_line)?;
    let local = match routing.uses_local() {
        true => Some(setup.recognizer()?.0),
        false => None,
    };
    let mut heard_with = HeardWith { profile, endpointer, routing, local };
    let mut failures = Vec::new();
    for file in &args.files {
        let failure = match transcribe(&mut heard_with, args, file) {
            Ok((transcript, failure)) => {
                // A full disk or closed pipe will not get better with the next file.
                deliver(args, file, &transcript)?;
                failure
            }
            Err(error) => Some(error),
        };
        match failure {
            Some(error) if args.files.len() == 1 => return Err(error),
            Some(error) => {
                exit::eprint_line(&format!("error: {}", exit::one_line(&error)));
                failures.push(file);
            }
            None => {}
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    let message = format!("{} of {} files failed; the others are done", failures.len(), args.files.len());
    Err(CliError::new(Exit::SomeFilesFailed, message).into())
}

/// All that a recording goes through.
struct HeardWith {
    profile: Profile,
    endpointer: Endpointer,
    routing: Routing,
    local: Option<WhisperRecognizer>,
}

/// The transcript, and why it is not the whole recording's if it is not.
fn transcribe(
    with: &mut HeardWith,
    args: &Args,
    file: &Path,
) -> Result<(FileTranscript, Option<anyhow::Error>)> {
    let begin = Instant::now();
    let source = open(args, with.profile.channels(), file)?;
    let bar = progress(source.as_ref(), file);
    let options = with.profile.pipeline_options(false, false);
    let engines = with.routing.engines(with.local.as_mut().map(|local| local as &mut dyn Recognizer));
    let mut transcript = FileTranscript {
        file: file.display().to_string(),
        text: String::new(),
        language: None,
        segments: Vec::new(),
        timings: FileTimings::default(),
    };
    let mut failure = None;
    let run = Pipeline::with_engines(&mut with.endpointer, engines, options).run(
        source,
        &StopSignal::default(),
        &mut |event| match event {
            Event::Final(result) => {
                bar.set_position((result.end * 1e3) as u64);
                if !result.text.is_empty() {
                    transcript.language = transcript.language.take().or(result.language);
                }
                transcript.segments.extend(result.segments);
            }
            Event::Failed { start, end, error, .. } => {
                let message = format!("{}: {start:.1} to {end:.1} s: {error}", file.display());
                failure = Some(CliError::new(Exit::Internal, message).into());
            }
            _ => {}
        },
    );
    bar.finish_and_clear();
    match run {
        Ok(summary) => {
            warn_of_faults(file, &summary.faults);
            transcript.timings.audio_s = summary.audio_s;
            transcript.timings.vad_ms = summary.vad_ms;
            transcript.timings.stages = summary.timings;
        }
        // Nothing was heard: there is nothing to deliver.
        Err(error) if transcript.segments.is_empty() => return Err(error.into()),
        Err(error) => failure = Some(error.into()),
    }
    transcript.text = join(&transcript.segments, transcript.language.as_deref());
    transcript.timings.processing_s = begin.elapsed().as_secs_f64();
    Ok((transcript, failure))
}

fn open(args: &Args, channels: ChannelSelect, file: &Path) -> Result<Box<dyn AudioSource>> {
    if file != Path::new("-") {
        return Ok(Box::new(FileSource::open(file, channels)?));
    }
    let rate = SampleRate::new(args.raw_rate).ok_or_else(|| {
        CliError::new(Exit::Usage, format!("--raw-rate {} is not from 8000 to 192000", args.raw_rate))
    })?;
    let raw = PcmFormat { layout: args.raw_format, rate, channels: args.raw_channels };
    Ok(open_stream(std::io::stdin(), "stdin", raw, channels)?)
}

pub fn warn_of_faults(file: &Path, faults: &earwitness::audio::SourceFaults) {
    let name = file.display();
    if faults.truncated {
        tracing::warn!("{name} ends before its header says it should: what is there was transcribed");
    }
    if faults.bad_packets > 0 {
        tracing::warn!("{name}: {} damaged packets were skipped", faults.bad_packets);
    }
    if faults.non_finite_samples > 0 {
        tracing::warn!(
            "{name}: {} samples were not numbers and were heard as silence",
            faults.non_finite_samples
        );
    }
}

/// A bar over the recording's duration, on a terminal only.
fn progress(source: &dyn AudioSource, file: &Path) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let name = file.file_name().map_or_else(|| "stdin".into(), |n| n.to_string_lossy().into_owned());
    match source.duration_hint() {
        Some(duration) => {
            let bar = ProgressBar::new(duration.as_millis() as u64);
            // A constant template is valid.
            if let Ok(style) = ProgressStyle::with_template("{msg:30} [{bar:30}] {percent:>3} %  {eta} left")
            {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.with_message(name)
        }
        None => ProgressBar::new_spinner().with_message(name),
    }
}

fn deliver(args: &Args, file: &Path, transcript: &FileTranscript) -> Result<()> {
    let text = render(transcript, args.format)?;
    match &args.output_dir {
        Some(folder) => write_whole(&folder.join(output_name(file, args.format)), &text),
        None => {
            let mut out = std::io::stdout().lock();
            if args.files.len() > 1 && !matches!(args.format, Format::Json | Format::Jsonl) {
                writeln!(out, "==> {} <==", file.display())?;
            }
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("writing to stdout")
        }
    }
}

/// Two recordings whose transcripts would overwrite each other.
fn same_output(args: &Args) -> Option<(&Path, &Path)> {
    args.output_dir.as_ref()?;
    let name = |file: &Path| output_name(file, args.format);
    args.files.iter().enumerate().find_map(|(i, a)| {
        let b = args.files[i + 1..].iter().find(|b| name(a) == name(b))?;
        Some((a.as_path(), b.as_path()))
    })
}

fn output_name(file: &Path, format: Format) -> PathBuf {
    let stem = match file.file_stem() {
        Some(stem) if file != Path::new("-") => PathBuf::from(stem),
        _ => PathBuf::from("stdin"),
    };
    let mut name = stem.into_os_string();
    name.push(".");
    name.push(format.extension());
    name.into()
}

/// A reader sees the old file or the whole new one.
fn write_whole(path: &Path, text: &str) -> Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    let partial = PathBuf::from(partial);
    fs::write(&partial, text)
        .and_then(|()| fs::rename(&partial, path))
        .inspect_err(|_| drop(fs::remove_file(&partial)))
        .with_context(|| format!("cannot write {}", path.display()))
}
