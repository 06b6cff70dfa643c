//! [`AudioError`]: everything that can go wrong between a microphone or file and 16 kHz samples.
//!
//! Every message says what is wrong and what to do next. Recoverable faults (a bad packet, a file
//! cut short, samples lost by a microphone) are not errors: they are counted in
//! [`SourceFaults`](super::SourceFaults) and the stream goes on.

use std::path::PathBuf;

/// A cause from another crate, kept for `source()`.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why audio could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// There is no file at this path.
    #[error("{path}: no such file; check the path", path = path.display())]
    FileNotFound {
        /// The path as given.
        path: PathBuf,
    },
    /// The file exists and may not be read.
    #[error("{path}: permission denied; make the file readable for this user (chmod a+r)", path = path.display())]
    FilePermission {
        /// The path as given.
        path: PathBuf,
    },
    /// The path is a folder.
    #[error("{path}: is a folder; name an audio file in it", path = path.display())]
    IsAFolder {
        /// The path as given.
        path: PathBuf,
    },
    /// Reading failed for another reason.
    #[error("reading {name} failed: {source}; check the disk or the program that feeds the pipe")]
    Read {
        /// File name, or `stdin`.
        name: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file or stream has 0 bytes.
    #[error("{name} is empty (0 bytes): the recording or download never started; make it again")]
    EmptyFile {
        /// File name, or `stdin`.
        name: String,
    },
    /// No known container or stream was found in the bytes.
    #[error(
        "{name} is not an audio file that can be read; use wav, flac, mp3, ogg, m4a, aiff, caf or mkv, or convert it: ffmpeg -i IN -ar 16000 -ac 1 OUT.wav"
    )]
    NotAudio {
        /// File name, or `stdin`.
        name: String,
        /// What the demuxer said.
        source: Cause,
    },
    /// A container without an audio track.
    #[error("{name} has no audio track; name a file that has sound")]
    NoAudioTrack {
        /// File name, or `stdin`.
        name: String,
    },
    /// The container is known and its codec is not.
    #[error(
        "{name} holds {codec} audio, for which there is no decoder; convert it: ffmpeg -i IN -ar 16000 -ac 1 OUT.wav (or OUT.flac)"
    )]
    UnsupportedCodec {
        /// File name, or `stdin`.
        name: String,
        /// The codec's name, or its number if it has none.
        codec: String,
    },
    /// The container needs seeking and the stream is a pipe.
    #[error(
        "{name} needs to be read out of order, which a pipe cannot do; save it to a file and name the file"
    )]
    NeedsSeek {
        /// What the stream is called.
        name: String,
        /// What the demuxer said.
        source: Cause,
    },
    /// Packets were found and none could be decoded.
    #[error(
        "{name} is damaged: none of its {bad_packets} packets could be decoded; copy or download it again"
    )]
    Undecodable {
        /// File name, or `stdin`.
        name: String,
        /// Packets tried.
        bad_packets: u64,
    },
    /// The sample rate is outside [`SampleRate::SUPPORTED`](super::SampleRate::SUPPORTED).
    #[error(
        "{name} has a sample rate of {hz} Hz; rates from 8000 to 192000 Hz are read, so convert it: ffmpeg -i IN -ar 16000 OUT.wav"
    )]
    RateOutOfRange {
        /// File name, device or `stdin`.
        name: String,
        /// The rate found.
        hz: u32,
    },
    /// A channel was chosen that is not there.
    #[error(
        "channel {asked} was asked for and {name} has {channels} (numbered from 0); choose a lower one, or mix them"
    )]
    NoSuchChannel {
        /// File name, device or `stdin`.
        name: String,
        /// The channel asked for, counted from 0.
        asked: usize,
        /// How many there are.
        channels: usize,
    },
    /// The audio claims no channels at all.
    #[error("{name} declares 0 channels; give the number of channels, or repair the file's header")]
    NoChannels {
        /// File name, device or `stdin`.
        name: String,
    },
    /// The resampler could not be built or refused a block.
    #[error("converting {hz} Hz to 16000 Hz failed: {source}; convert the audio to 16000 Hz first")]
    Resample {
        /// The source's rate.
        hz: u32,
        /// The resampler's error.
        source: Cause,
    },
    /// No input device exists on any host.
    #[error(
        "no microphone was found ({detail}); plug one in, start the sound server, or transcribe a file instead"
    )]
    NoMicrophone {
        /// Which hosts were asked and what they answered.
        detail: String,
    },
    /// The named input device does not exist.
    #[error("there is no microphone called {name:?}; choose one of: {}", list(known))]
    UnknownMicrophone {
        /// The name asked for.
        name: String,
        /// The ids of the devices that exist.
        known: Vec<String>,
    },
    /// A part of a name is in those of several input devices.
    #[error("{name:?} may be several microphones; name one of: {}", list(matching))]
    AmbiguousMicrophone {
        /// The name asked for.
        name: String,
        /// The ids of the devices that it may be.
        matching: Vec<String>,
    },
    /// The named sound system is not compiled in or not running.
    #[error("the sound system {name:?} is not available; choose one of: {}", list(known))]
    UnknownHost {
        /// The name asked for.
        name: String,
        /// The hosts that exist.
        known: Vec<String>,
    },
    /// The operating system forbids recording.
    #[error(
        "recording from {device} is not permitted: {source}; add the user to group audio, or allow microphone access in the system's privacy settings"
    )]
    MicrophonePermission {
        /// The device's id.
        device: String,
        /// The sound system's error.
        source: Cause,
    },
    /// Another program holds the device.
    #[error(
        "{device} is busy: {source}; close the program that records from it, or record through PulseAudio or PipeWire, which share it"
    )]
    MicrophoneBusy {
        /// The device's id.
        device: String,
        /// The sound system's error.
        source: Cause,
    },
    /// The device offers no format or rate that can be used.
    #[error("{device} offers no usable input format: {source}; choose another device from the list")]
    MicrophoneFormat {
        /// The device's id.
        device: String,
        /// The sound system's error.
        source: Cause,
    },
    /// Opening the device failed in another way.
    #[error("{device} could not be opened: {source}; check the cable and the sound server, then try again")]
    MicrophoneFailed {
        /// The device's id.
        device: String,
        /// The sound system's error.
        source: Cause,
    },
    /// The sound system does not answer.
    #[error(
        "the sound system did not answer within {seconds} s while {doing}; restart the sound server, then this program"
    )]
    SoundSystemStuck {
        /// What was being done.
        doing: String,
        /// How long was waited.
        seconds: u64,
    },
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "(there are none)".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_microphone_lists_what_there_is() {
        let error = AudioError::UnknownMicrophone {
            name: "mci".into(),
            known: vec!["alsa:default".into(), "pulseaudio:mic".into()],
        };
        assert_eq!(
            error.to_string(),
            "there is no microphone called \"mci\"; choose one of: alsa:default, pulseaudio:mic"
        );
    }

    #[test]
    fn causes_are_kept() {
        let error = AudioError::NotAudio { name: "x".into(), source: "reason".into() };
        assert_eq!(std::error::Error::source(&error).map(ToString::to_string), Some("reason".to_owned()));
    }
}
