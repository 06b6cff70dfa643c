//! Made-up data for every page: nothing at all, a fleet as it might be, and what somebody might send to break it.
//!
//! The tests of the pages include this file too. It is longer than others because it is data.

use earwitness_scoring::{BasicNormalizer, diff_texts};

use super::pages::*;

/// Which data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing came yet.
    Empty,
    /// A fleet at work.
    Typical,
    /// Scripts, long words, text from right to left, figures that are no numbers.
    Hostile,
}

/// The time of all pages: 2026-03-01 14:05:09 UTC.
pub const NOW: u64 = 1_772_373_909_000;
/// Texts that must never act.
pub const HOSTILE: [&str; 6] = [
    "<script>alert('x')</script>",
    "\"><img src=x onerror=alert(1)>",
    "مرحبا بالعالم <b onclick=\"x()\">هذا</b> اختبار \u{202e}reversed",
    "DonaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftDonaudampfschifffahrtselektrizitäten",
    "{{ shell.csrf }} {% include \"x\" %} </textarea></script><!-- ]]> &amp; &#x3c;",
    "javascript:alert(1)' style='position:fixed' https://example.org/track.gif",
];
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Kind {
    fn text(self, index: usize, usual: &str) -> String {
        if self == Self::Hostile { HOSTILE[index % HOSTILE.len()].to_owned() } else { usual.to_owned() }
    }

    fn number(self, index: usize, usual: f64) -> Option<f64> {
        match (self, index % 4) {
            (Self::Hostile, 0) => Some(f64::NAN),
            (Self::Hostile, 1) => Some(f64::INFINITY),
            (Self::Hostile, 2) => Some(-1e300),
            (Self::Hostile, _) => None,
            _ => Some(usual),
        }
    }

    fn estimate(self, index: usize, value: f64, half: f64) -> Option<Estimate> {
        let of = |index, value| self.number(index, value);
        let estimate = Estimate {
            value: of(index, value)?,
            low: of(index + 1, value - half).unwrap_or(f64::NAN),
            high: value + half * 1.1,
        };
        Some(estimate)
    }

    fn some<T>(self, rows: usize, make: impl FnMut(usize) -> T) -> Vec<T> {
        let rows = if self == Self::Empty { 0 } else { rows };
        (0..rows).map(make).collect()
    }
}

/// Every page by name, rendered.
pub fn pages(kind: Kind) -> Vec<(&'static str, String)> {
    let html = |page: &dyn askama::DynTemplate| page.dyn_render().expect("a page renders");
    let mut all = vec![
        ("fleet", html(&fleet(kind))),
        ("live", html(&live(kind))),
        ("shadow", html(&shadow(kind, Verdict::Inconclusive))),
        ("adjudicate", html(&adjudicate(kind))),
        ("search", html(&search(kind, true))),
        ("device", html(&device(kind))),
        ("privacy", html(&privacy(kind))),
        ("login", html(&login(kind))),
        ("admin", html(&admin(kind))),
        ("receipt", html(&receipt(kind))),
        ("confirm", html(&confirm(kind))),
        ("error", html(&ErrorPage::of_status(shell(kind, Section::Other), 404))),
    ];
    match kind {
        Kind::Empty => all.push(("search-begin", html(&search(kind, false)))),
        _ => {
            all.push(("shadow-better", html(&shadow(kind, Verdict::Better))));
            all.push(("shadow-not-worse", html(&shadow(kind, Verdict::NotWorse))));
            all.push(("shadow-worse", html(&shadow(kind, Verdict::Worse))));
        }
    }
    all
}

fn shell(kind: Kind, section: Section) -> Shell {
    let who = Who { name: kind.text(0, "marta"), role: Role::Admin };
    Shell::new(section, Some(who), "q7Yk0n5pT2cVb1", NOW)
}

const DEVICES: [&str; 12] = [
    "kiosk-gdansk-01",
    "kiosk-gdansk-02",
    "kiosk-sopot-01",
    "kitchen-pi",
    "drive-through-lane-2-north-entrance-replacement-unit-2025",
    "lab-rock5b",
    "lab-thinkpad",
    "reception",
    "van-07",
    "van-11",
    "warehouse-dock-a",
    "warehouse-dock-b",
];
const VERSIONS: [&str; 4] = ["0.9.2", "0.9.1", "0.9.0-rc.3+build.20260211.linux-aarch64", "0.8.7"];
const ENGINES: [&str; 3] = ["whisper tiny.en f16", "whisper base int8", "deepgram nova-3"];

fn device_row(kind: Kind, index: usize) -> DeviceRow {
    let mut random = fastrand::Rng::with_seed(index as u64 + 5);
    let status = match index {
        4 | 9 => DeviceStatus::Silent,
        6 => DeviceStatus::NeverSeen,
        7 => DeviceStatus::Revoked,
        _ => DeviceStatus::Ok,
    };
    let seen = match status {
        DeviceStatus::NeverSeen => None,
        DeviceStatus::Ok => Some(NOW - random.u64(2_000..9 * MINUTE)),
        _ => Some(NOW - random.u64(26 * HOUR..9 * DAY)),
    };
    let known = status != DeviceStatus::NeverSeen;
    let alive = status == DeviceStatus::Ok;
    let hourly: Vec<_> = (0..24)
        .map(|hour| {
            let open = (6..22).contains(&((hour + 15) % 24));
            alive.then(|| if open { random.f64() * 40.0 + 3.0 } else { 0.0 }).map(f64::round)
        })
        .enumerate()
        .map(|(hour, value)| value.filter(|_| !(index == 2 && (9..12).contains(&hour))))
        .collect();
    let utterances = hourly.iter().flatten().sum::<f64>() as u64;
    let text = |n, usual: &str| known.then(|| kind.text(index + n, usual));
    DeviceRow {
        device_id: kind.text(index, DEVICES[index % DEVICES.len()]),
        status,
        last_seen_unix_ms: seen,
        app_version: text(1, VERSIONS[[0, 0, 0, 1, 3, 2, 0, 1, 0, 1, 0, 0][index % 12]]),
        profile: text(2, ["kiosk", "kitchen", "vehicle"][index % 3]),
        platform: text(3, ["linux-aarch64", "linux-x86_64"][usize::from(index % 5 == 1)]),
        engine: text(4, ENGINES[usize::from(index == 5)]),
        shadow_engine: (known && index % 3 != 2).then(|| kind.text(index + 5, ENGINES[1 + index % 2])),
        utterances_24h: if kind == Kind::Hostile { u64::MAX } else { utterances },
        hourly_utterances: if kind == Kind::Hostile {
            vec![Some(f64::NAN), None, Some(-1.0)]
        } else {
            hourly
        },
        errors_ratio: if alive { kind.number(index, [0.004, 0.0, 0.081, 0.012][index % 4]) } else { None },
        journal_records: known.then(|| if alive { random.u64(0..40) } else { 18_240 }),
        lost_records: [0, 0, 0, 0, 1204, 0][index % 6],
        temperature_celsius: if alive { kind.number(index + 1, 48.0 + random.f64() * 36.0) } else { None },
        throttled: alive.then_some(index == 2),
    }
}

fn filters(kind: Kind, action: &str, range: bool) -> FilterBar {
    let values = |all: &[&str]| kind.some(all.len(), |n| kind.text(n, all[n]));
    let chosen = (kind == Kind::Hostile).then(|| HOSTILE[1].to_owned());
    FilterBar {
        action: action.to_owned(),
        range: range.then_some(TimeRange::Day),
        filters: vec![
            Filter::new("device", "Device", values(&DEVICES), chosen),
            Filter::new("engine", "Engine", values(&ENGINES), None),
            Filter::new("profile", "Profile", values(&["kiosk", "kitchen", "vehicle"]), None),
            Filter::new(
                "version",
                "Version",
                values(&VERSIONS),
                (action == "/live").then(|| kind.text(2, "0.9.2")).filter(|_| kind != Kind::Empty),
            ),
        ],
        kept: vec![],
    }
}

fn fleet(kind: Kind) -> FleetPage {
    let empty = kind == Kind::Empty;
    let mut filters = filters(kind, "/", false);
    filters.filters[0] =
        Filter::new("status", "Status", vec!["ok".into(), "silent".into(), "never-seen".into()], None);
    filters.kept = vec![("sort", "device".into())];
    let next = filters.href_with(&[("page", "2")]);
    FleetPage {
        shell: shell(kind, Section::Fleet),
        sort: Sort { key: SortKey::Device, descending: false },
        totals: if empty {
            FleetTotals::default()
        } else {
            FleetTotals {
                devices: 38,
                ok: 34,
                silent: 3,
                never_seen: 1,
                utterances_24h: 11_482,
                errors_ratio: kind.number(0, 0.0083),
                journal_records: 37_106,
                lost_records: 1204,
                throttled: 1,
            }
        },
        versions: kind
            .some(4, |n| VersionShare { version: kind.text(n, VERSIONS[n]), devices: [24, 9, 1, 3][n] }),
        devices: kind.some(12, |n| device_row(kind, n)),
        pager: if empty {
            Pager::default()
        } else {
            Pager { first: 1, last: 12, total: Some(38), previous_href: None, next_href: Some(next) }
        },
        silent_after_ms: 30 * MINUTE,
        filters,
    }
}

fn series(kind: Kind, metric: Metric, range: TimeRange) -> MetricSeries {
    let mut random = fastrand::Rng::with_seed(metric.title().len() as u64 * 31);
    let (low, middle, high) = match metric {
        Metric::EndOfSpeechToFinal => (612.0, 905.0, 1740.0),
        Metric::Recognize => (240.0, 470.0, 1220.0),
        Metric::Queue => (3.0, 40.0, 380.0),
        Metric::RealTimeFactor => (0.11, 0.24, 0.61),
        Metric::Rss => (318e6, 342e6, 401e6),
        Metric::CpuShare => (0.08, 0.6, 1.7),
        Metric::Temperature => (47.0, 58.0, 71.0),
        Metric::Rms => (-41.0, -30.5, -21.0),
        Metric::Loudness => (-39.0, -29.0, -20.0),
        Metric::Snr => (7.5, 16.0, 27.0),
        Metric::Clipping => (0.0, 0.0001, 0.004),
        Metric::Bandwidth => (3300.0, 5900.0, 7400.0),
        Metric::Words => (2.0, 6.0, 14.0),
        Metric::AvgLogprob => (-0.72, -0.31, -0.14),
        Metric::FallbackShare => (0.0, 0.042, 0.0),
        Metric::NoSpeechShare => (0.0, 0.061, 0.0),
        Metric::ErrorShare => (0.0, 0.0083, 0.0),
        Metric::JournalRecords => (0.0, 140.0, 0.0),
    };
    let step = range.step_ms();
    let begin = (NOW - range.span_ms()) / step * step + step;
    let single = metric.spread() == Spread::Single;
    let mut points = Vec::new();
    for n in 0..range.span_ms() / step {
        if (20..23).contains(&n) {
            continue; // an outage
        }
        let wave = 1.0 + 0.18 * (n as f64 / 7.0).sin() + 0.08 * (random.f64() - 0.5);
        let at = |value: f64| if value < 0.0 { value / wave } else { value * wave };
        let gap = n == 35;
        let value = |index, value: f64| if gap { None } else { kind.number(index + n as usize, at(value)) };
        points.push(Point {
            at_unix_ms: begin + n * step,
            low: value(0, low).filter(|_| !single),
            middle: value(1, middle),
            high: value(2, high * if n == 30 && !single && high > 0.0 { 1.35 } else { 1.0 })
                .filter(|_| !single),
            count: if gap { 0 } else { 180 + n * 3 },
        });
    }
    let overall = Point {
        at_unix_ms: 0,
        low: kind.number(0, low).filter(|_| !single),
        middle: kind.number(1, middle),
        high: kind.number(3, high).filter(|_| !single),
        count: 11_482,
    };
    MetricSeries { metric, overall, points }
}

fn live(kind: Kind) -> LivePage {
    let range = TimeRange::Day;
    let begin = (NOW - DAY) / range.step_ms() * range.step_ms() + range.step_ms();
    LivePage {
        shell: shell(kind, Section::Live),
        filters: filters(kind, "/live", true),
        from_unix_ms: NOW - DAY,
        to_unix_ms: NOW,
        step_ms: range.step_ms(),
        utterances: if kind == Kind::Empty { 0 } else { 11_482 },
        devices: 34,
        metrics: kind.some(Metric::LIVE.len(), |n| series(kind, Metric::LIVE[n], range)),
        outcomes: kind.some(48, |n| {
            let m = n as u64;
            let counts = [
                180 + m,
                12 + m % 5,
                m % 4,
                m % 3,
                u64::from(n.is_multiple_of(6)) * 4,
                u64::from((29..32).contains(&n)) * 30,
            ];
            OutcomePoint {
                at_unix_ms: begin + m * range.step_ms(),
                counts: if (20..23).contains(&n) { [0; 6] } else { counts },
            }
        }),
    }
}

const SAID: [(&str, &str); 6] = [
    ("two large teas and a slice of apple pie please", "two large trees and a slice of apple pie"),
    ("can you turn the lights of in the back room", "can you turn the lights off in the back room"),
    ("play something by chopin", "play something by show pan"),
    (
        "i'd like to return this, the zipper broke after one day of use and i still have the receipt",
        "i would like to return this the zipper broke after one day of use and i still have a receipt",
    ),
    ("", "hello"),
    ("what time does the last ferry leave for hel", "what time does the last ferry leave for hell"),
];

fn disagreement(kind: Kind, index: usize) -> DisagreementRow {
    let (primary, shadow) = SAID[index % SAID.len()];
    let (primary, shadow) = (kind.text(index, primary), kind.text(index + 2, shadow));
    let words = diff_texts(&BasicNormalizer::default(), None, &primary, &shadow);
    let outcome = |text: &str| if text.is_empty() { "empty" } else { "transcript" }.to_owned();
    DisagreementRow {
        utterance_id: kind.text(index + 1, &format!("9f3a61c2-{}", 118 - index)),
        device_id: kind.text(index + 2, DEVICES[index % 4]),
        recorded_unix_ms: NOW - (index as u64 * 47 + 6) * MINUTE,
        edits: 1 + index as u64 % 3,
        longer_words: 10 - index as u64,
        primary_outcome: kind.text(index + 3, &outcome(&primary)),
        shadow_outcome: kind.text(index + 4, &outcome(&shadow)),
        language: Some(kind.text(index, "en")),
        snr_db: kind.number(index, 14.2 - index as f64),
        words: (index != 2).then_some(words),
        clip_href: (index.is_multiple_of(2) && index != 2)
            .then(|| format!("/clips/{}", segment(&kind.text(index, "9f3a61c2-118")))),
    }
}

/// Two pairs, the first with this verdict.
pub fn shadow(kind: Kind, verdict: Verdict) -> ShadowPage {
    let mut filters = filters(kind, "/shadow", true);
    filters.kept = vec![("primary", kind.text(0, ENGINES[0])), ("shadow", kind.text(1, ENGINES[1]))];
    let (value, half) = match verdict {
        Verdict::Better => (-0.013, 0.006),
        Verdict::NotWorse => (0.0011, 0.0052),
        Verdict::Worse => (0.019, 0.007),
        Verdict::Inconclusive => (-0.004, 0.017),
    };
    let difference =
        kind.estimate(3, value, half).filter(|_| kind != Kind::Hostile || verdict == Verdict::Better);
    let pair = |n: usize| PairSummary {
        primary_engine: kind.text(n, ENGINES[0]),
        shadow_engine: kind.text(n + 1, ENGINES[1 + n]),
        href: filters.href_with(&[("shadow", ENGINES[1 + n % 2])]),
        chosen: n == 0,
        utterances: [8214, 611][n],
        devices: [21, 3][n],
        disagreement: kind.estimate(n, [0.083, 0.121][n], [0.006, 0.034][n]),
        verdict: if n == 0 { verdict } else { Verdict::Inconclusive },
    };
    let rows = |dimension: usize, names: &[&str]| -> Vec<SliceRow> {
        let row = |(n, name): (usize, &&str)| SliceRow {
            name: kind.text(n, name),
            utterances: 2400 / (n as u64 + 1),
            devices: 12 / (n as u64 + 1),
            disagreement: kind.estimate(n, 0.06 + 0.02 * n as f64, 0.008 * (n + 1) as f64),
            wer_difference: kind
                .estimate(n, value + 0.003 * (n as f64 - dimension as f64), half * (1.0 + 0.6 * n as f64))
                .filter(|_| n != 3),
            verdict: if n == 0 { verdict } else { Verdict::Inconclusive },
        };
        names.iter().enumerate().map(row).collect()
    };
    let groups: [(&str, &[&str]); 5] = [
        ("Profile", &["kiosk", "kitchen", "vehicle"]),
        ("App version", &VERSIONS[..3]),
        ("Language", &["en", "pl"]),
        ("Signal to noise", &["above 20 dB", "10 to 20 dB", "5 to 10 dB", "below 5 dB"]),
        ("Duration", &["below 2 s", "2 to 5 s", "above 5 s"]),
    ];
    let detail = PairDetail {
        primary_engine: kind.text(0, ENGINES[0]),
        shadow_engine: kind.text(1, ENGINES[1]),
        utterances: 8214,
        devices: 21,
        disagreement: kind.estimate(0, 0.083, 0.006),
        no_interval: None,
        primary_p50_ms: kind.number(0, 240.0),
        shadow_p50_ms: kind.number(1, 512.0),
        latency_difference_ms: kind.estimate(2, 281.0, 22.0),
        primary_cost_per_1000: Some(0.0),
        shadow_cost_per_1000: kind.number(3, 0.42),
        outcomes: OutcomeMatrix {
            names: (0..5)
                .map(|n| kind.text(n, ["transcript", "no speech", "empty", "timeout", "error"][n]))
                .collect(),
            counts: vec![
                vec![7420, 61, 22, 14, 2],
                vec![118, 402, 9, 0, 0],
                vec![31, 12, 58, 0, 0],
                vec![19, 0, 0, 3, 0],
                vec![37, 1, 0, 0, 5],
            ],
        },
        wer: WerComparison {
            utterances: 214,
            devices: 9,
            reference_words: 1733,
            primary_wer: kind.number(0, 0.091),
            shadow_wer: kind.number(1, 0.087),
            difference,
            margin: 0.01,
            verdict,
            missing: (verdict == Verdict::Inconclusive)
                .then(|| kind.text(0, "about 900 more references at this disagreement, or a wider margin.")),
        },
        slices: groups
            .iter()
            .enumerate()
            .map(|(n, (dimension, names))| SliceGroup {
                dimension: kind.text(n, dimension),
                rows: rows(n, names),
            })
            .collect(),
    };
    let next_href = Some(filters.href_with(&[("page", "2")]));
    ShadowPage {
        shell: shell(kind, Section::Shadow),
        pairs: kind.some(2, pair),
        detail: (kind != Kind::Empty).then_some(detail),
        disagreements: kind.some(6, |n| disagreement(kind, n)),
        pager: Pager { first: 1, last: 6, total: Some(702), previous_href: None, next_href },
        filters,
    }
}

fn adjudicate(kind: Kind) -> AdjudicatePage {
    AdjudicatePage {
        shell: shell(kind, Section::Adjudicate),
        item: (kind != Kind::Empty).then(|| AdjudicationItem {
            item_id: kind.text(1, "a1b2"),
            order: kind.text(5, "kd83hd"),
            clip_href: Some("/clips/9f3a61c2-118".into()),
            duration_ms: kind.number(0, 3410.0).unwrap_or(0.0),
            language: Some(kind.text(1, "en")),
            text_a: kind.text(2, "Two large trees and a slice of apple pie."),
            text_b: kind.text(4, "Two large teas and a slice of apple pie, please."),
        }),
        progress: (kind != Kind::Empty).then_some(Progress {
            done: 11,
            total: 40,
            inclusion_probability: 0.2,
        }),
        judged_by_you: 57,
    }
}

fn search(kind: Kind, asked: bool) -> SearchPage {
    let mut filters = filters(kind, "/search", true);
    filters.range = Some(TimeRange::Month);
    let query = if asked { kind.text(0, "apple pie") } else { String::new() };
    filters.kept = vec![("q", query.clone())];
    let hit = |n: usize| {
        let text = kind.text(
            n,
            [
                "Two large teas and a slice of apple pie, please.",
                "An apple, and the pie later.",
                "How long do apples keep in the pie case overnight?",
            ][n % 3],
        );
        Hit {
            utterance_id: kind.text(n, "9f3a61c2-118"),
            device_id: kind.text(n + 1, DEVICES[n]),
            recorded_unix_ms: NOW - n as u64 * 5 * HOUR,
            engine: kind
                .text(n + 2, ["whisper tiny.en f16", "corrected by the user", "whisper base int8"][n % 3]),
            language: Some(kind.text(n, "en")),
            fragments: highlight(&text, &["apple", "pie", "script", "donau"]),
            clip_href: (n % 3 != 1).then(|| format!("/clips/{}", segment(&kind.text(n, "9f3a61c2-118")))),
        }
    };
    let next_href = Some(filters.href_with(&[("page", "2")]));
    SearchPage {
        shell: shell(kind, Section::Search),
        query,
        hits: kind.some(6, hit),
        pager: Pager { first: 1, last: 6, total: Some(23), previous_href: None, next_href },
        searchable: if kind == Kind::Empty && !asked { 0 } else { 5310 },
        filters,
    }
}

fn device(kind: Kind) -> DevicePage {
    let range = TimeRange::Day;
    let row = device_row(kind, if kind == Kind::Empty { 6 } else { 2 });
    let utterance = |n: usize| UtteranceRow {
        utterance_id: kind.text(n, &format!("9f3a61c2-{}", 118 - n)),
        recorded_unix_ms: NOW - (n as u64 * 7 + 2) * MINUTE,
        outcome: kind.text(n + 1, ["transcript", "transcript", "no speech", "transcript", "timeout"][n % 5]),
        route: kind.text(n + 2, ["local", "local", "cloud (low confidence)"][n % 3]),
        duration_ms: kind.number(n, 2300.0 + 310.0 * n as f64).unwrap_or(0.0),
        words: 3 + n as u64,
        end_of_speech_to_final_ms: kind.number(n + 1, 640.0 + 60.0 * n as f64),
        real_time_factor: kind.number(n, 0.21).unwrap_or(f64::NAN),
        rms_dbfs: kind.number(n + 2, -31.4).unwrap_or(f64::NAN),
        snr_db: kind.number(n + 3, 15.1),
        avg_logprob: kind.number(n, -0.34),
        text: (n % 3 != 1).then(|| kind.text(n + 3, SAID[n % 4].0)),
        clip_href: n.is_multiple_of(4).then(|| "/clips/9f3a61c2-118".to_owned()),
    };
    DevicePage {
        shell: shell(kind, Section::Fleet),
        enrolled_unix_ms: Some(NOW - 41 * DAY),
        first_record_unix_ms: (kind != Kind::Empty).then_some(NOW - 41 * DAY + 5 * MINUTE),
        cores: (kind != Kind::Empty).then_some(4),
        clock_offset_ms: (kind != Kind::Empty).then_some(-4200),
        disk_free_bytes: (kind != Kind::Empty).then_some(9_831_000_000),
        consents: kind.some(2, |n| kind.text(n, ["text", "audio"][n])),
        consent_granted_unix_ms: (kind != Kind::Empty).then_some(NOW - 40 * DAY),
        filters: FilterBar {
            action: format!("/devices/{}", segment(&row.device_id)),
            range: Some(range),
            ..FilterBar::default()
        },
        from_unix_ms: NOW - DAY,
        to_unix_ms: NOW,
        step_ms: range.step_ms(),
        metrics: kind.some(Metric::DEVICE.len(), |n| series(kind, Metric::DEVICE[n], range)),
        streams: kind.some(2, |n| StreamRow {
            stream_id: kind
                .text(n, ["b7c40e5a9d1f4f0e8d2b6a3c51e7f902", "41d09be2c3774a55b0e6d9f8a7c61b23"][n]),
            first_seen_unix_ms: NOW - [12, 41][n] * DAY,
            last_seen_unix_ms: NOW - [0, 12][n] * DAY - 4 * MINUTE,
            high_water: [18_812, 90_114][n],
            stored: [18_812, 88_910][n],
            unreadable: 0,
            lost: [0, 1204][n],
        }),
        losses: kind.some(2, |n| LostRow {
            stream_id: kind.text(n, "41d09be2c3774a55b0e6d9f8a7c61b23"),
            first_sequence: [4001, 1][n],
            last_sequence: [5200, 4][n],
            reason: kind.text(n, ["size cap", "corrupt"][n]),
            reported_unix_ms: NOW - (13 + n as u64) * DAY,
        }),
        utterances: kind.some(8, utterance),
        disagreements: kind.some(3, |n| disagreement(kind, n)),
        sessions: kind.some(3, |n| SessionRow {
            session_id: kind.text(n, "9f3a61c2"),
            began_unix_ms: (n != 2).then_some(NOW - (n as u64 * 3 + 1) * DAY),
            ended_unix_ms: (n == 2).then_some(NOW - 6 * DAY),
            cut_off: n == 1,
            app_version: kind.text(n, VERSIONS[n.min(1)]),
            engine: kind.text(n + 1, ENGINES[0]),
            shadow_engine: Some(kind.text(n + 2, ENGINES[1])),
            utterances: 811 + n as u64,
        }),
        device: row,
    }
}

fn receipts(kind: Kind) -> Vec<Receipt> {
    kind.some(2, |n| Receipt {
        receipt_id: kind.text(n, ["r-20260301-7f21", "r-20260212-03ab"][n]),
        scope: ["device", "person"][n].to_owned(),
        subject: kind.text(n + 1, ["kiosk-old-04", "subject-51e0"][n]),
        requested_by: kind.text(n + 2, "marta"),
        requested_unix_ms: NOW - (n as u64 * 17 * DAY) - 2 * MINUTE,
        erased_unix_ms: (n == 1).then_some(NOW - 17 * DAY - 2 * MINUTE + 3400),
        records: [90_114, 212][n],
        texts: [3120, 212][n],
        clips: [640, 88][n],
        keys: 1,
    })
}

/// What is collected, counted and erased.
pub fn privacy(kind: Kind) -> PrivacyPage {
    let next_href = Some("/privacy?page=2".to_owned());
    PrivacyPage {
        shell: shell(kind, Section::Privacy),
        retention: kind.some(4, |n| RetentionRow {
            what: kind.text(n, ["Records", "Texts", "Recordings", "Hourly roll-ups"][n]),
            days: [Some(365), Some(90), Some(30), None][n],
            setting: kind.text(
                n + 1,
                [
                    "retention.records_days",
                    "retention.texts_days",
                    "retention.clips_days",
                    "retention.rollups_days",
                ][n],
            ),
        }),
        counts: if kind == Kind::Empty {
            ConsentedCounts::default()
        } else {
            ConsentedCounts { texts: 5310, clips: 1204, clip_bytes: 96_400_000, people: 12, devices: 7 }
        },
        receipts: receipts(kind),
        audit: kind.some(5, |n| AuditRow {
            at_unix_ms: NOW - n as u64 * 40 * MINUTE,
            actor: kind.text(n, ["marta", "kitchen-pi", "marta", "server", "jan"][n]),
            action: kind.text(n + 1, ["erase", "enroll", "login", "retention", "play clip"][n]),
            object: kind.text(n + 2, ["device kiosk-old-04", "code 51", "", "412 texts", "9f3a61c2-118"][n]),
        }),
        audit_pager: Pager { first: 1, last: 5, total: None, previous_href: None, next_href },
    }
}

fn login(kind: Kind) -> LoginPage {
    LoginPage {
        shell: Shell::new(Section::Other, None, "q7Yk0n5pT2cVb1", NOW),
        problem: (kind != Kind::Empty).then(|| kind.text(0, "Name or password is wrong.")),
        name: if kind == Kind::Empty { String::new() } else { kind.text(1, "marta") },
        next: kind.text(5, "/shadow"),
    }
}

fn admin(kind: Kind) -> AdminPage {
    let fresh = FreshSecret {
        what: kind.text(0, "Enrolment code for kitchen-pi"),
        secret: kind.text(3, "7QK4-M2XD-9RTB"),
        instruction: kind.text(1, "Give it to the device."),
        command: Some(
            kind.text(2, "earwitness enroll --server https://ears.example:8090 --code 7QK4-M2XD-9RTB"),
        ),
        expires_unix_ms: Some(NOW + DAY),
    };
    let notice = Notice { problem: false, text: kind.text(0, "The code was made.") };
    AdminPage {
        shell: shell(kind, Section::Admin).with_notice((kind != Kind::Empty).then_some(notice)),
        fresh: (kind != Kind::Empty).then_some(fresh),
        people: kind.some(3, |n| Person {
            name: kind.text(n, ["marta", "jan", "aleksandra.wisniewska-kowalczyk@example.com"][n]),
            role: Role::ALL[2 - n],
            added_unix_ms: NOW - 41 * DAY,
            last_login_unix_ms: (n != 2).then_some(NOW - n as u64 * 3 * HOUR - MINUTE),
            is_self: n == 0,
        }),
        codes: kind.some(3, |n| EnrolmentCode {
            code_id: kind.text(n, "51"),
            device_id: (n != 1).then(|| kind.text(n, "kitchen-pi")),
            made_by: kind.text(n + 1, "marta"),
            made_unix_ms: NOW - n as u64 * 2 * DAY,
            expires_unix_ms: NOW - n as u64 * 2 * DAY + DAY,
            used_by: (n == 2).then(|| kind.text(n, "van-11")),
            used_unix_ms: (n == 2).then_some(NOW - 4 * DAY),
        }),
        devices: kind.some(12, |n| AdminDevice {
            device_id: kind.text(n, DEVICES[n]),
            enrolled_unix_ms: NOW - 41 * DAY,
            last_seen_unix_ms: (n != 6).then_some(NOW - n as u64 * 9 * MINUTE),
            revoked_unix_ms: (n == 7).then_some(NOW - 2 * DAY),
        }),
    }
}

fn receipt(kind: Kind) -> ReceiptPage {
    let receipt = receipts(if kind == Kind::Empty { Kind::Typical } else { kind })
        .swap_remove(usize::from(kind != Kind::Empty));
    ReceiptPage { shell: shell(kind, Section::Privacy), receipt }
}

fn confirm(kind: Kind) -> ConfirmPage {
    ConfirmPage {
        shell: shell(kind, Section::Fleet),
        question: kind.text(0, "Erase everything from kiosk-sopot-01?"),
        consequences: kind.some(3, |n| {
            kind.text(
                n + 1,
                [
                    "90 114 records, 3 120 texts and 640 recordings go.",
                    "The device's key is destroyed: copies in backups cannot be read any more.",
                    "There is no way back.",
                ][n],
            )
        }),
        action: "/devices/kiosk-sopot-01/erase".into(),
        hidden: vec![("scope".into(), kind.text(4, "device"))],
        type_to_confirm: Some(kind.text(3, "kiosk-sopot-01")),
        button: kind.text(5, "Erase"),
        cancel_href: "/devices/kiosk-sopot-01".into(),
    }
}
