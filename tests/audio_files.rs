//! Decoding: every container and sample format gives the same sound, and every broken file either
//! gives what is left of it or an error that says what to do.

use std::f64::consts::PI;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use earwitness::audio::{
    AudioError, AudioSource, ChannelSelect, FileSource, PcmFormat, PcmLayout, SampleRate, open_stream,
    read_all,
};
use hound::{SampleFormat, WavSpec, WavWriter};

/// The sweep that `tests/fixtures/audio/make.sh` writes into every fixture.
fn sweep(t: f64) -> f64 {
    0.5 * (2.0 * PI * (300.0 * t + 2000.0 * t * t)).sin()
}

fn sweep_at_16_khz(seconds: f64) -> Vec<f32> {
    (0..(seconds * 16_000.0) as usize).map(|i| sweep(i as f64 / 16_000.0) as f32).collect()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audio").join(name)
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn open(path: &Path) -> Result<FileSource, AudioError> {
    FileSource::open(path, ChannelSelect::Mix)
}

fn error_of(path: &Path) -> AudioError {
    match open(path) {
        Ok(mut source) => read_all(&mut source).expect_err("the file should not be readable"),
        Err(error) => error,
    }
}

/// Signal over error in dB, over the samples that both have and away from the ends.
fn agreement_db(got: &[f32], wanted: &[f32]) -> f64 {
    let n = got.len().min(wanted.len());
    let (edge, mut signal, mut error) = (n / 10, 0.0, 0.0);
    for i in edge..n - edge {
        signal += f64::from(wanted[i]).powi(2);
        error += f64::from(got[i] - wanted[i]).powi(2);
    }
    10.0 * (signal / error).log10()
}

fn spec(sample_rate: u32, channels: u16, bits_per_sample: u16, sample_format: SampleFormat) -> WavSpec {
    WavSpec { channels, sample_rate, bits_per_sample, sample_format }
}

/// A WAV file in which every channel holds the sweep.
fn write_sweep(path: &Path, spec: WavSpec, seconds: f64) {
    let mut wav = WavWriter::create(path, spec).unwrap();
    for i in 0..(seconds * f64::from(spec.sample_rate)).round() as usize {
        let x = sweep(i as f64 / f64::from(spec.sample_rate));
        for _ in 0..spec.channels {
            match spec.sample_format {
                SampleFormat::Float => wav.write_sample(x as f32).unwrap(),
                SampleFormat::Int => {
                    wav.write_sample((x * 2_f64.powi(i32::from(spec.bits_per_sample) - 1)) as i32).unwrap();
                }
            }
        }
    }
    wav.finalize().unwrap();
}

/// 64-bit float, which hound does not write: a 44-byte header and the samples.
fn sweep_in_f64(rate: u32, seconds: f64) -> Vec<u8> {
    let samples: Vec<u8> = (0..(seconds * f64::from(rate)) as usize)
        .flat_map(|i| sweep(i as f64 / f64::from(rate)).to_le_bytes())
        .collect();
    wav_bytes(3, 64, rate, &samples, samples.len() as u32)
}

fn wav_bytes(tag: u16, bits: u16, rate: u32, data: &[u8], claimed: u32) -> Vec<u8> {
    let align = bits / 8;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend(claimed.saturating_add(36).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\x00\x00\x00");
    bytes.extend(tag.to_le_bytes());
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(align)).to_le_bytes());
    bytes.extend(align.to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes.extend(b"data");
    bytes.extend(claimed.to_le_bytes());
    bytes.extend(data);
    bytes
}

/// One second of the sweep in 16 bits at 16 kHz, as bytes of samples.
fn second_of_pcm() -> Vec<u8> {
    sweep_at_16_khz(1.0).iter().flat_map(|x| ((x * 32_768.0) as i16).to_le_bytes()).collect()
}

#[test]
fn every_wav_sample_format_rate_and_channel_count_gives_the_same_sound() {
    let folder = scratch();
    let wanted = sweep_at_16_khz(0.5);
    let integers = [8, 16, 24, 32].map(|bits| (bits, SampleFormat::Int));
    for (bits, kind) in integers.into_iter().chain([(32, SampleFormat::Float)]) {
        for (rate, channels) in [
            (8_000, 1),
            (11_025, 2),
            (16_000, 1),
            (22_050, 3),
            (44_100, 2),
            (48_000, 6),
            (96_000, 2),
            (192_000, 8),
        ] {
            let path = folder.path().join(format!("{bits}-{rate}-{channels}.wav"));
            write_sweep(&path, spec(rate, channels, bits, kind), 0.5);
            let mut source = open(&path).unwrap();
            assert_eq!((source.native().rate.hz(), source.native().channels), (rate, channels));
            assert!(source.duration_hint().unwrap().as_millis().abs_diff(500) <= 1, "{path:?}");
            let got = read_all(&mut source).unwrap();
            let db = agreement_db(&got, &wanted);
            assert!(got.len().abs_diff(wanted.len()) <= 1, "{path:?}: {} samples", got.len());
            assert!(db > if bits == 8 { 35.0 } else { 60.0 }, "{path:?}: {db:.1} dB");
            assert_eq!(source.faults(), Default::default(), "{path:?}");
        }
    }
    let path = folder.path().join("f64.wav");
    std::fs::write(&path, sweep_in_f64(48_000, 0.5)).unwrap();
    let got = read_all(&mut open(&path).unwrap()).unwrap();
    assert!(agreement_db(&got, &wanted) > 60.0 && got.len() == wanted.len());
}

#[test]
fn a_16_khz_mono_wav_comes_out_bit_for_bit() {
    let folder = scratch();
    let path = folder.path().join("a.wav");
    let mut wav = WavWriter::create(&path, spec(16_000, 1, 16, SampleFormat::Int)).unwrap();
    let samples: Vec<i16> = (0..20_000).map(|i| (i * 37 % 65_536 - 32_768) as i16).collect();
    samples.iter().for_each(|x| wav.write_sample(*x).unwrap());
    wav.finalize().unwrap();
    let wanted: Vec<f32> = samples.iter().map(|x| f32::from(*x) / 32_768.0).collect();
    assert_eq!(read_all(&mut open(&path).unwrap()).unwrap(), wanted);
}

#[test]
fn every_other_container_and_codec_gives_the_same_sound_in_the_same_place() {
    let wanted = sweep_at_16_khz(0.3);
    for (name, least_db, slack, late) in [
        ("sweep.flac", 60.0, 1, 0),
        ("sweep-alac.m4a", 60.0, 1, 0),
        ("sweep.aiff", 60.0, 1, 0),
        ("sweep.caf", 60.0, 1, 0),
        ("sweep-mulaw.wav", 30.0, 1, 0),
        ("sweep-adpcm.wav", 20.0, 3_400, 0),
        ("sweep.ogg", 15.0, 200, 0),
        ("sweep.mkv", 15.0, 900, 0),
        ("sweep.mp3", 15.0, 900, 0),
        // AAC: 1024 priming samples at 22,050 Hz.
        ("sweep.m4a", 15.0, 1_800, 743),
    ] {
        let mut source = open(&fixture(name)).unwrap();
        let got = read_all(&mut source).unwrap();
        let db = agreement_db(&got[late..], &wanted);
        assert!(
            got.len().abs_diff(wanted.len()) <= slack,
            "{name}: {} samples, wanted {}",
            got.len(),
            wanted.len()
        );
        assert!(db > least_db, "{name}: {db:.1} dB");
        assert!(!source.truncated(), "{name}");
    }
}

#[test]
fn the_content_decides_and_not_the_extension() {
    let folder = scratch();
    for (from, to) in [
        ("sweep.flac", "a.wav"),
        ("sweep.mp3", "b.flac"),
        ("sweep.ogg", "c.txt"),
        ("sweep.m4a", "no_extension"),
    ] {
        let path = folder.path().join(to);
        std::fs::copy(fixture(from), &path).unwrap();
        assert!(read_all(&mut open(&path).unwrap()).unwrap().len() > 4_000, "{from} as {to}");
    }
}

#[test]
fn a_channel_can_be_chosen_and_a_missing_one_is_told() {
    let folder = scratch();
    let path = folder.path().join("stereo.wav");
    let mut wav = WavWriter::create(&path, spec(16_000, 2, 16, SampleFormat::Int)).unwrap();
    for _ in 0..1_000 {
        wav.write_sample(8_192_i16).unwrap();
        wav.write_sample(-16_384_i16).unwrap();
    }
    wav.finalize().unwrap();
    for (select, wanted) in
        [(ChannelSelect::Mix, -0.125), (ChannelSelect::Channel(0), 0.25), (ChannelSelect::Channel(1), -0.5)]
    {
        let got = read_all(&mut FileSource::open(&path, select).unwrap()).unwrap();
        assert_eq!(got, vec![wanted; 1_000]);
    }
    let error = FileSource::open(&path, ChannelSelect::Channel(2)).err().unwrap();
    assert!(matches!(error, AudioError::NoSuchChannel { asked: 2, channels: 2, .. }), "{error}");
}

#[test]
fn nan_and_infinity_become_silence_and_are_counted() {
    let folder = scratch();
    let path = folder.path().join("nan.wav");
    let mut wav = WavWriter::create(&path, spec(44_100, 1, 32, SampleFormat::Float)).unwrap();
    for i in 0..44_100 {
        wav.write_sample(match i {
            100..110 => f32::NAN,
            5_000 => f32::INFINITY,
            _ => 0.25,
        })
        .unwrap();
    }
    wav.finalize().unwrap();
    let mut source = open(&path).unwrap();
    let got = read_all(&mut source).unwrap();
    assert!(got.iter().all(|x| x.is_finite()) && got.len() == 16_000);
    assert_eq!(source.faults().non_finite_samples, 11);
}

#[test]
fn a_file_cut_short_gives_what_is_left_and_says_so() {
    let folder = scratch();
    for (name, kept, of) in [
        ("sweep.flac", 12_000, 4_800),
        ("sweep.aiff", 8_000, 4_800),
        ("sweep.mp3", 1_600, 4_800),
        ("sweep-mulaw.wav", 1_500, 4_800),
    ] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes[..kept]).unwrap();
        let mut source = open(&path).unwrap();
        let got = read_all(&mut source).unwrap();
        assert!(got.len() > of / 5 && got.len() < of - 100, "{name}: {} samples", got.len());
        assert!(source.truncated() || name == "sweep.mp3", "{name}: {:?}", source.faults());
    }
}

#[test]
fn a_wav_cut_short_keeps_every_whole_sample() {
    let folder = scratch();
    let path = folder.path().join("cut.wav");
    let data = second_of_pcm();
    std::fs::write(&path, wav_bytes(1, 16, 16_000, &data[..20_001], data.len() as u32)).unwrap();
    let mut source = open(&path).unwrap();
    assert_eq!(read_all(&mut source).unwrap().len(), 10_000);
    assert!(source.truncated());
}

#[test]
fn a_recorder_that_lost_power_leaves_lengths_of_zero_and_its_audio_is_still_read() {
    let folder = scratch();
    let data = second_of_pcm();
    for claimed in [0, u32::MAX, 0x7fff_ffff] {
        let path = folder.path().join("unfinished.wav");
        std::fs::write(&path, wav_bytes(1, 16, 16_000, &data, claimed)).unwrap();
        let got = read_all(&mut open(&path).unwrap()).unwrap();
        assert_eq!(got.len(), 16_000, "data length {claimed:#x}");
    }
}

#[test]
fn a_damaged_packet_is_skipped_counted_and_keeps_the_times_after_it() {
    let folder = scratch();
    let mut bytes = std::fs::read(fixture("sweep.flac")).unwrap();
    // The second FLAC frame's residuals, well inside the frame.
    let middle = bytes.len() / 2;
    bytes[middle..middle + 400].fill(0xff);
    let path = folder.path().join("damaged.flac");
    std::fs::write(&path, bytes).unwrap();
    let mut source = open(&path).unwrap();
    let got = read_all(&mut source).unwrap();
    assert!(source.faults().bad_packets > 0 || source.truncated());
    assert!(got.len() > 1_000 && got.iter().all(|x| x.is_finite()));
}

#[test]
fn an_empty_recording_with_a_valid_header_is_no_error() {
    let folder = scratch();
    let path = folder.path().join("none.wav");
    WavWriter::create(&path, spec(44_100, 2, 16, SampleFormat::Int)).unwrap().finalize().unwrap();
    let mut source = open(&path).unwrap();
    assert_eq!(source.native().rate.hz(), 44_100);
    assert!(read_all(&mut source).unwrap().is_empty());
    assert_eq!(source.faults(), Default::default());
}

#[test]
fn what_is_wrong_with_a_file_is_told_apart() {
    let folder = scratch();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let mut random = fastrand::Rng::with_seed(3);
    let noise: Vec<u8> = (0..40_000).map(|_| random.u8(..)).collect();
    assert!(matches!(error_of(&folder.path().join("none.wav")), AudioError::FileNotFound { .. }));
    assert!(matches!(error_of(folder.path()), AudioError::IsAFolder { .. }));
    assert!(matches!(error_of(&write("empty.wav", b"")), AudioError::EmptyFile { .. }));
    for (name, bytes) in [
        ("text.wav", "not audio at all\n".repeat(500).as_bytes()),
        ("tiny.wav", b"RIFF"),
        ("half-header.wav", b"RIFF\x24\x00\x00\x00WAVEfmt "),
        ("noise.bin", noise.as_slice()),
    ] {
        let error = error_of(&write(name, bytes));
        assert!(
            matches!(error, AudioError::NotAudio { .. } | AudioError::Undecodable { .. }),
            "{name}: {error:?}"
        );
    }
    // Its index is at the end, so nothing can be had without it.
    let whole = std::fs::read(fixture("sweep.m4a")).unwrap();
    let cut = error_of(&write("cut.m4a", &whole[..whole.len() / 2]));
    assert!(matches!(cut, AudioError::NotAudio { .. }), "{cut:?}");
    assert!(matches!(error_of(&fixture("no-audio.mkv")), AudioError::NoAudioTrack { .. }));
    let slow = write("slow.wav", &wav_bytes(1, 16, 4_000, &[0; 4_000], 4_000));
    assert!(matches!(error_of(&slow), AudioError::RateOutOfRange { hz: 4_000, .. }));
    let fast = write("fast.wav", &wav_bytes(1, 16, 384_000, &[0; 4_000], 4_000));
    assert!(matches!(error_of(&fast), AudioError::RateOutOfRange { hz: 384_000, .. }));
}

#[test]
fn an_unsupported_codec_is_named_with_the_way_out() {
    for (name, codec) in [("sweep-opus.ogg", "Opus"), ("sweep-ac3.mkv", "AC-3")] {
        let error = error_of(&fixture(name));
        assert!(matches!(error, AudioError::UnsupportedCodec { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains(codec) && message.contains("ffmpeg"), "{message}");
    }
}

#[test]
fn a_piped_file_is_decoded_as_a_file_and_anything_else_as_raw_samples() {
    let raw = PcmFormat { layout: PcmLayout::S16Le, rate: SampleRate::new(16_000).unwrap(), channels: 1 };
    let wanted = sweep_at_16_khz(0.3);
    let piped = |bytes: Vec<u8>| open_stream(Cursor::new(bytes), "stdin", raw, ChannelSelect::Mix);
    for name in ["sweep.flac", "sweep.ogg", "sweep.aiff", "sweep.mkv", "sweep-mulaw.wav"] {
        let mut source = piped(std::fs::read(fixture(name)).unwrap()).unwrap();
        let db = agreement_db(&read_all(&mut source).unwrap(), &wanted);
        assert!(db > 15.0, "{name}: {db:.1} dB");
    }
    // As ffmpeg and arecord write WAV to a pipe: no length.
    let mut endless = piped(wav_bytes(1, 16, 16_000, &second_of_pcm(), u32::MAX)).unwrap();
    assert_eq!(read_all(&mut endless).unwrap().len(), 16_000);
    assert!(!endless.faults().truncated);
    // As GStreamer does: a length of 0.
    assert_eq!(
        read_all(&mut piped(wav_bytes(1, 16, 16_000, &second_of_pcm(), 0)).unwrap()).unwrap().len(),
        16_000
    );
    let mut headless = piped(second_of_pcm()).unwrap();
    assert!(agreement_db(&read_all(&mut headless).unwrap(), &sweep_at_16_khz(1.0)) > 60.0);
    assert!(matches!(piped(Vec::new()).err().unwrap(), AudioError::EmptyFile { .. }));
}

#[test]
fn damage_anywhere_never_panics_or_hangs() {
    let folder = scratch();
    let mut random = fastrand::Rng::with_seed(11);
    let fixtures = [
        "sweep.flac",
        "sweep.mp3",
        "sweep.ogg",
        "sweep.m4a",
        "sweep-alac.m4a",
        "sweep.aiff",
        "sweep.caf",
        "sweep.mkv",
        "sweep-mulaw.wav",
        "sweep-adpcm.wav",
    ];
    for name in fixtures {
        let whole = std::fs::read(fixture(name)).unwrap();
        for round in 0..60 {
            let mut bytes = whole.clone();
            // The first half of the rounds damages headers, the others anything.
            let reach = if round % 2 == 0 { bytes.len().min(200) } else { bytes.len() };
            for _ in 0..=round / 10 {
                let at = random.usize(..reach);
                bytes[at] = random.u8(..);
            }
            bytes.truncate(random.usize(bytes.len() / 2..=bytes.len()));
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            if let Ok(samples) = open(&path).and_then(|mut source| read_all(&mut source)) {
                assert!(samples.iter().all(|x| x.is_finite()), "{name}, round {round}");
            }
        }
    }
}
