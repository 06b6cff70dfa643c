//! The simulated devices: where each stands, how it is set up, what it hears.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use earwitness::audio::{ChannelSelect, FileSource, encode_wav, read_all};
use earwitness::models::ModelStore;

use earwitness::runtime::reporting::now_unix_ms;

/// A simulated device.
pub struct Device {
    /// Its name on the server.
    pub name: &'static str,
    /// Its profile's name.
    profile: &'static str,
    /// Who speaks to it, by a pseudonym.
    subject_id: &'static str,
    /// What its profile says beside what all say.
    settings: &'static str,
    /// What becomes of the speech on its way to the microphone.
    place: Place,
    /// Recordings by name, in the order in which they are heard.
    recordings: [&'static str; 2],
}

/// Where a device stands.
enum Place {
    /// Before the speaker.
    Near,
    /// Beside a fan that is so much quieter than the speech, dB.
    Fan(f32),
    /// So far away that speech is so much quieter, dB, and the microphone's own hiss is heard.
    Far(f32),
}

/// Three that differ in what slices can show: place, level, endpointing, threads.
pub static DEVICES: [Device; 3] = [
    Device {
        name: "kitchen-pi",
        profile: "hands-free",
        subject_id: "s-01",
        settings: "[pipeline]\nthreads = 1\n[endpoint]\nmin_trailing_silence_ms = 400\n",
        place: Place::Fan(10.0),
        recordings: ["two-cities", "beckett"],
    },
    Device {
        name: "office-laptop",
        profile: "desk",
        subject_id: "s-02",
        settings: "[pipeline]\nthreads = 2\n",
        place: Place::Near,
        recordings: ["beckett", "two-cities"],
    },
    Device {
        name: "field-recorder",
        profile: "unattended",
        subject_id: "s-03",
        // Nobody waits for the text.
        settings: "[pipeline]\nthreads = 1\nspeculate_after_ms = 0\n[endpoint]\nmin_trailing_silence_ms = 700\npre_roll_ms = 400\n",
        place: Place::Far(22.0),
        recordings: ["two-cities", "beckett"],
    },
];

/// What must be installed: recognizer, shadow, detector, recordings.
pub const NEEDED: [&str; 5] = ["tiny.en", "base", "silero-vad", "two-cities", "beckett"];

/// A device with its files.
pub struct Prepared {
    /// Its profile's file.
    pub profile: PathBuf,
    /// What it hears, in turn.
    pub recordings: Vec<PathBuf>,
    /// Where its token lies once it is enrolled.
    pub token: PathBuf,
}

impl Device {
    /// Writes profile and recordings into `folder`; the device will report to `url`.
    pub fn prepare(&self, folder: &Path, url: &str) -> Result<Prepared> {
        let folder = folder.join(self.name);
        std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let journal = folder.join("telemetry");
        let profile = folder.join(format!("{}.toml", self.profile));
        write(&profile, self.profile_text(url, &journal).as_bytes())?;
        let store = ModelStore::open_default()?;
        let recording = |(seed, name): (u64, &&str)| {
            let mut source = FileSource::open(&store.locate(name)?, ChannelSelect::Mix)?;
            let mut samples = read_all(&mut source)?;
            self.place.heard(&mut samples, seed);
            let file = folder.join(format!("{name}.wav"));
            write(&file, &encode_wav(&samples))?;
            Ok(file)
        };
        let recordings = (1..).zip(&self.recordings).map(recording).collect::<Result<_>>()?;
        Ok(Prepared { profile, recordings, token: journal.join("token") })
    }

    /// Whoever starts the demonstration agrees to it, for recordings that are not theirs, on this machine.
    fn profile_text(&self, url: &str, journal: &Path) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        format!(
            "description = \"A simulated device of `earwitness demo --fleet`\"\n\n\
             [whisper]\nmodel = \"tiny.en\"\n{}\n\
             [shadow]\nengine = \"base\"\nmax_lag_ms = 600000\n\n\
             [telemetry]\nurl = {}\ndevice_id = {}\nfolder = {}\nheartbeat_ms = 5000\nupload_interval_ms = 2000\n\
             metered = false\n\n\
             [consent]\nshadow_text = true\ntelemetry_text = true\ntelemetry_audio = true\ntelemetry_speaker = true\n\
             granted_unix_ms = {}\n\n\
             [speaker]\nsubject_id = {}\n",
            self.settings,
            quoted(url),
            quoted(self.name),
            quoted(&journal.to_string_lossy()),
            now_unix_ms(),
            quoted(self.subject_id),
        )
    }
}

impl Place {
    /// Changes 16 kHz `samples` to what is heard there; the same each time for the same `seed`.
    fn heard(&self, samples: &mut [f32], seed: u64) {
        match *self {
            Self::Near => {}
            Self::Fan(below_db) => {
                let level = rms(samples) * ratio(-below_db);
                add_noise(samples, level, 0.2, seed);
            }
            Self::Far(quieter_db) => {
                samples.iter_mut().for_each(|sample| *sample *= ratio(-quieter_db));
                // -75 dBFS: a cheap microphone.
                add_noise(samples, ratio(-75.0), 1.0, seed);
            }
        }
    }
}

/// Decibels as a ratio of amplitudes.
fn ratio(db: f32) -> f32 {
    10f32.powf(db / 20.0)
}

fn rms(samples: &[f32]) -> f32 {
    let energy: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    (energy / samples.len().max(1) as f64).sqrt() as f32
}

/// Adds noise of that root mean square. `share` of each new value goes in: 1 is white, 0.2 has most below 600 Hz.
fn add_noise(samples: &mut [f32], level: f32, share: f32, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut value = 0.0;
    let noise: Vec<f32> = samples
        .iter()
        .map(|_| {
            value += share * (rng.f32() * 2.0 - 1.0 - value);
            value
        })
        .collect();
    let gain = level / rms(&noise).max(f32::MIN_POSITIVE);
    samples.iter_mut().zip(noise).for_each(|(sample, noise)| *sample += noise * gain);
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(file, bytes).with_context(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use earwitness::config::Profile;

    use super::*;

    #[test]
    fn every_device_has_a_profile_that_is_valid_and_reports_with_consent() {
        for device in &DEVICES {
            let text = device.profile_text("http://127.0.0.1:8090", Path::new("/a \"quoted\" folder"));
            let profile = Profile::parse(&text, device.name).unwrap();
            assert_eq!(profile.telemetry.folder, Path::new("/a \"quoted\" folder"));
            assert_eq!(
                (profile.telemetry.device_id.as_str(), profile.shadow.engine.as_str()),
                (device.name, "base")
            );
            assert!(profile.consent.telemetry_audio && profile.consent.granted_unix_ms.is_some());
            assert!(device.recordings.iter().all(|name| NEEDED.contains(name)));
        }
    }

    #[test]
    fn places_change_level_and_noise_and_do_so_the_same_way_each_time() {
        let speech: Vec<f32> = (0..16_000).map(|i| (i as f32 * 0.3).sin() * 0.2).collect();
        let heard = |place: Place| {
            let mut samples = speech.clone();
            place.heard(&mut samples, 7);
            samples
        };
        assert_eq!(heard(Place::Near), speech);
        let fan = heard(Place::Fan(10.0));
        assert_eq!(fan, heard(Place::Fan(10.0)));
        let noise: Vec<f32> = fan.iter().zip(&speech).map(|(heard, said)| heard - said).collect();
        assert!((20.0 * (rms(&noise) / rms(&speech)).log10() + 10.0).abs() < 0.1);
        assert!((20.0 * (rms(&heard(Place::Far(22.0))) / rms(&speech)).log10() + 22.0).abs() < 0.1);
    }
}
