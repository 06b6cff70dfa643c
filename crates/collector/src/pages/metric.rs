//! The figures of utterances that are shown over time: which there are, what they mean, how they are drawn.

use super::figure::Unit;
use super::utc_minute;

/// A figure over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// `software.end_of_speech_to_final_ms`.
    EndOfSpeechToFinal,
    /// `software.recognize_ms`.
    Recognize,
    /// `software.queue_ms`.
    Queue,
    /// `software.real_time_factor`.
    RealTimeFactor,
    /// `software.rss_bytes`.
    Rss,
    /// `software.cpu_share`, or that of heartbeats.
    CpuShare,
    /// `software.temperature_celsius`, or that of heartbeats.
    Temperature,
    /// `input.rms_dbfs`.
    Rms,
    /// `input.loudness_lufs`.
    Loudness,
    /// `input.snr_db`.
    Snr,
    /// `input.clipping_ratio`.
    Clipping,
    /// `input.bandwidth_hz`.
    Bandwidth,
    /// `output.words`.
    Words,
    /// `output.avg_logprob`.
    AvgLogprob,
    /// Share of utterances with `output.fallbacks` above 0.
    FallbackShare,
    /// Share of utterances with the outcome `no_speech`.
    NoSpeechShare,
    /// Share of utterances with the outcome `error`, `timeout` or `dropped`.
    ErrorShare,
    /// Records that wait on the device, from heartbeats.
    JournalRecords,
}

/// Which part of the page a figure stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricGroup {
    /// What it took.
    Software,
    /// How it came in.
    Input,
    /// What came out.
    Output,
}

impl MetricGroup {
    /// All, in the order of the page.
    pub const ALL: [Self; 3] = [Self::Software, Self::Input, Self::Output];

    /// Its heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Software => "Software",
            Self::Input => "Input",
            Self::Output => "Output",
        }
    }

    /// What it answers.
    pub fn question(self) -> &'static str {
        match self {
            Self::Software => "How long people wait, and what that takes.",
            Self::Input => "How well the microphones hear.",
            Self::Output => "What the recognizers make of it.",
        }
    }
}

/// Title, explanation, unit, the percentiles that are drawn; how a figure is presented.
struct Presentation(&'static str, &'static str, Unit, Spread);

/// Which values of a bucket are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// 50th, 90th and 99th percentile: where large is bad.
    Tail,
    /// 10th, 50th and 90th percentile: where both ends matter.
    Centre,
    /// One value.
    Single,
}

impl Spread {
    /// Names of [`Point::low`], [`Point::middle`] and [`Point::high`]; empty where there is none.
    pub fn labels(self) -> [&'static str; 3] {
        match self {
            Self::Tail => ["p50", "p90", "p99"],
            Self::Centre => ["p10", "p50", "p90"],
            Self::Single => ["", "value", ""],
        }
    }

    /// The quantiles to ask for, in `[0, 1]`.
    pub fn quantiles(self) -> &'static [f64] {
        match self {
            Self::Tail => &[0.5, 0.9, 0.99],
            Self::Centre => &[0.1, 0.5, 0.9],
            Self::Single => &[],
        }
    }
}

impl Metric {
    /// What the live page shows, in its order.
    pub const LIVE: [Self; 16] = [
        Self::EndOfSpeechToFinal,
        Self::Recognize,
        Self::Queue,
        Self::RealTimeFactor,
        Self::Rss,
        Self::CpuShare,
        Self::Rms,
        Self::Loudness,
        Self::Snr,
        Self::Clipping,
        Self::Bandwidth,
        Self::Words,
        Self::AvgLogprob,
        Self::FallbackShare,
        Self::NoSpeechShare,
        Self::ErrorShare,
    ];
    /// What the page of a device shows.
    pub const DEVICE: [Self; 6] = [
        Self::EndOfSpeechToFinal,
        Self::Temperature,
        Self::CpuShare,
        Self::Rss,
        Self::JournalRecords,
        Self::ErrorShare,
    ];

    /// Where it stands.
    pub fn group(self) -> MetricGroup {
        match self {
            Self::Rms | Self::Loudness | Self::Snr | Self::Clipping | Self::Bandwidth => MetricGroup::Input,
            Self::Words | Self::AvgLogprob | Self::FallbackShare | Self::NoSpeechShare | Self::ErrorShare => {
                MetricGroup::Output
            }
            _ => MetricGroup::Software,
        }
    }

    /// Its name.
    pub fn title(self) -> &'static str {
        self.presentation().0
    }

    /// One line on what it says.
    pub fn explanation(self) -> &'static str {
        self.presentation().1
    }

    /// Its unit.
    pub fn unit(self) -> Unit {
        self.presentation().2
    }

    /// Which values of it are drawn.
    pub fn spread(self) -> Spread {
        self.presentation().3
    }

    fn presentation(self) -> Presentation {
        use Spread::{Centre, Single, Tail};
        match self {
            Self::EndOfSpeechToFinal => Presentation(
                "End of speech to final text",
                "What a person waits, the pause that ends an utterance included.",
                Unit::Milliseconds,
                Tail,
            ),
            Self::Recognize => Presentation(
                "Recognition",
                "From the recognizer's start to its answer.",
                Unit::Milliseconds,
                Tail,
            ),
            Self::Queue => Presentation(
                "Queue",
                "From the utterance's end to the recognizer's start.",
                Unit::Milliseconds,
                Tail,
            ),
            Self::RealTimeFactor => Presentation(
                "Real-time factor",
                "Recognition over duration; above 1 it falls behind.",
                Unit::Times,
                Tail,
            ),
            Self::Rss => Presentation("Memory", "Resident memory of the process.", Unit::Bytes, Centre),
            Self::CpuShare => Presentation(
                "Processor",
                "Processor time over wall time; 1 is one core.",
                Unit::Times,
                Centre,
            ),
            Self::Temperature => Presentation(
                "Temperature",
                "Of the processor; most throttle from 80 °C.",
                Unit::Celsius,
                Centre,
            ),
            Self::Rms => Presentation(
                "Level (RMS)",
                "Quiet below −45, close to clipping above −10.",
                Unit::Dbfs,
                Centre,
            ),
            Self::Loudness => {
                Presentation("Loudness", "ITU-R BS.1770-4, from 400 ms on.", Unit::Lufs, Centre)
            }
            Self::Snr => {
                Presentation("Signal to noise", "By detection; below 10 dB words get lost.", Unit::Db, Centre)
            }
            Self::Clipping => Presentation("Clipping", "Share of samples at full scale.", Unit::Ratio, Tail),
            Self::Bandwidth => Presentation(
                "Bandwidth",
                "99 % of the energy is below; telephone bands end at 3.4 kHz.",
                Unit::Hertz,
                Centre,
            ),
            Self::Words => Presentation("Words", "Words of a transcript.", Unit::Count, Centre),
            Self::AvgLogprob => Presentation(
                "Log-probability",
                "Mean over tokens; below −1 the model guesses.",
                Unit::Logarithm,
                Centre,
            ),
            Self::FallbackShare => {
                Presentation("Fallbacks", "Share of utterances decoded more than once.", Unit::Ratio, Single)
            }
            Self::NoSpeechShare => Presentation(
                "No speech",
                "Share of utterances without speech for the recognizer.",
                Unit::Ratio,
                Single,
            ),
            Self::ErrorShare => Presentation(
                "Failures",
                "Share of utterances that failed, timed out or were dropped.",
                Unit::Ratio,
                Single,
            ),
            Self::JournalRecords => {
                Presentation("Journal", "Records that wait on the device for upload.", Unit::Count, Single)
            }
        }
    }
}

/// One bucket of time. A value is `None` where nothing was measured, and then the line has a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Begin of the bucket, ms since 1970-01-01 UTC.
    pub at_unix_ms: u64,
    /// The lowest of the percentiles of [`Spread`], in the metric's unit as recorded (ratios, bytes, ms).
    pub low: Option<f64>,
    /// The middle one, or the only value.
    pub middle: Option<f64>,
    /// The highest.
    pub high: Option<f64>,
    /// Utterances behind it.
    pub count: u64,
}

/// A metric over the page's time range.
#[derive(Clone, Debug)]
pub struct MetricSeries {
    /// Which.
    pub metric: Metric,
    /// Over the whole range; its time is not used.
    pub overall: Point,
    /// By buckets, the oldest first. Buckets without utterances may be left out: they become gaps.
    pub points: Vec<Point>,
}

impl MetricSeries {
    /// Names and values over the whole range, of those that this metric has.
    pub(crate) fn figures(&self) -> Vec<(&'static str, String)> {
        let names = self.metric.spread().labels();
        let values = [self.overall.low, self.overall.middle, self.overall.high];
        let single = self.metric.spread() == Spread::Single;
        let named = names.into_iter().zip(values).filter(|(name, _)| !name.is_empty());
        named.map(|(name, value)| (if single { "" } else { name }, self.metric.unit().show(value))).collect()
    }

    /// Heads of the columns of its table.
    pub(crate) fn columns(&self) -> Vec<&'static str> {
        self.metric.spread().labels().into_iter().filter(|name| !name.is_empty()).collect()
    }

    /// The cells of a row of its table.
    pub(crate) fn values(&self, point: &Point) -> Vec<String> {
        let values = self.metric.spread().labels().into_iter().zip([point.low, point.middle, point.high]);
        values.filter(|(name, _)| !name.is_empty()).map(|(_, value)| self.metric.unit().show(value)).collect()
    }

    /// The head of a row of its table.
    pub(crate) fn time(&self, point: &Point) -> String {
        utc_minute(point.at_unix_ms)
    }
}
