//! Devices and their figures.

use super::*;

pub(super) fn device_row(kind: Kind, index: usize) -> DeviceRow {
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

pub(super) fn fleet(kind: Kind) -> FleetPage {
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

pub(super) fn series(kind: Kind, metric: Metric, range: TimeRange) -> MetricSeries {
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

pub(super) fn live(kind: Kind) -> LivePage {
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

pub(super) fn device(kind: Kind) -> DevicePage {
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
