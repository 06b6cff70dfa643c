//! The child process: all devices, each with its journal and its uploader. It ends when all is made and sent.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use earwitness::telemetry::{Outcome, Record, RecordLine, UtteranceRecord};
use earwitness::uplink::collector::{CollectorSettings, Uploader};
use earwitness::uplink::journal::{FolderDisk, Journal, JournalError};
use earwitness::web::ApiKey;

use super::disk::{FaultyDisk, LastWrite};
use super::oracle::{Oracle, Told};
use super::plan::{Device, End, Kind, Plan};

/// Threads that make records.
const WRITERS: usize = 8;
/// Records that a device makes before the next one has its turn.
const BURST: u64 = 16;

struct Living<'a> {
    device: &'a Device,
    journal: Arc<Journal>,
    uploader: Uploader,
    oracle: Oracle,
}

/// Lives through one run. `last_write` is the write in the middle of which it dies, 0 for none.
pub fn live(plan: &Plan, last_write: i64) {
    end_with_parent();
    let last_write: LastWrite = Arc::new(AtomicI64::new(last_write));
    let allowance = Arc::new(AtomicU64::new(0));
    follow(&plan.allowance(), allowance.clone());
    std::thread::scope(|scope| {
        for first in 0..WRITERS {
            let (last_write, allowance) = (last_write.clone(), &*allowance);
            let devices = plan.devices.iter().skip(first).step_by(WRITERS);
            scope.spawn(move || {
                let mut living: Vec<_> = devices.map(|device| begin(plan, device, &last_write)).collect();
                make(plan, &mut living, allowance);
                living.into_iter().for_each(|one| end(plan, one));
            });
        }
    });
}

/// No child outlives its parent: the pipe closes.
fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(3);
    });
}

fn follow(path: &Path, allowance: Arc<AtomicU64>) {
    let path = path.to_owned();
    std::thread::spawn(move || {
        loop {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if let Ok(thousandths) = text.trim().parse() {
                allowance.fetch_max(thousandths, Ordering::Relaxed);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    });
}

fn begin<'a>(plan: &Plan, device: &'a Device, last_write: &LastWrite) -> Living<'a> {
    let journal = Arc::new(open(plan, device, last_write));
    let oracle = Oracle::open(&plan.oracle(device));
    let mut settings = CollectorSettings::new(&plan.url, ApiKey::new(&device.token).unwrap()).unwrap();
    settings.interval = Duration::from_millis(plan.interval_ms);
    settings.connect_timeout = Duration::from_secs(5);
    settings.deadline = Duration::from_secs(15);
    settings.backoff_initial = Duration::from_millis(50);
    settings.backoff_max = Duration::from_millis(500 + 2 * plan.interval_ms);
    let uploader = Uploader::start(settings, journal.clone(), None, Box::new(|| false), |_| {}).unwrap();
    Living { device, journal, uploader, oracle }
}

/// A disk that fails while the journal is opened is tried again, as by a supervisor.
fn open(plan: &Plan, device: &Device, last_write: &LastWrite) -> Journal {
    let mut tries = 0;
    loop {
        let folder = FolderDisk::open(&plan.journal(device)).unwrap();
        let disk = FaultyDisk::new(folder, device, last_write.clone());
        match Journal::open(device.kind.journal(), disk) {
            Ok(journal) => return journal,
            Err(JournalError::Disk { .. }) if tries < 20 => tries += 1,
            Err(error) => panic!("{}: {error}", device.device_id),
        }
    }
}

/// Makes records as fast as the allowance lets it.
fn make(plan: &Plan, living: &mut [Living<'_>], allowance: &AtomicU64) {
    loop {
        let thousandths = allowance.load(Ordering::Relaxed);
        let (mut busy, mut all_made) = (false, true);
        for one in &mut *living {
            let allowed = one.device.share * thousandths / 1000;
            let burst = allowed.saturating_sub(one.oracle.made).min(BURST);
            (0..burst).for_each(|_| make_one(plan, one));
            busy |= burst > 0;
            all_made &= one.oracle.made >= one.device.share;
        }
        if all_made {
            return;
        }
        if !busy {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn make_one(plan: &Plan, one: &mut Living<'_>) {
    let n = one.oracle.n;
    let now = plan.clock(one.device, one.oracle.made);
    let told = match one.journal.append(&line(one.device, n, now), now) {
        Ok(sequence) => Told::Kept { n, sequence },
        Err(JournalError::Lost { sequence, .. }) => Told::Lost { sequence },
        Err(JournalError::Disk { .. }) => Told::Unsure,
        Err(error) => panic!("{}: {error}", one.device.device_id),
    };
    one.oracle.told(told);
}

fn line(device: &Device, n: u64, recorded_unix_ms: u64) -> RecordLine {
    let mut record = UtteranceRecord {
        utterance_id: format!("{}-{n}", device.device_id),
        session_id: device.device_id.clone(),
        engine: "whisper/tiny.en/q8_0".into(),
        route: "local".into(),
        profile: "fleet".into(),
        app_version: "1.0".into(),
        ..UtteranceRecord::default()
    };
    // Larger ones, so that a small cap is reached.
    if device.kind == Kind::SmallCap {
        record.reason = "r".repeat(4_000);
    }
    record.input.duration_ms = 500.0 + (n * 7919 % 9_500) as f64;
    record.input.rms_dbfs = -20.0 - (n % 17) as f64;
    record.output.outcome = if n.is_multiple_of(50) { Outcome::NoSpeech } else { Outcome::Transcript };
    record.output.words = n % 23;
    record.software.recognize_ms = 80.0 + (n * 104_729 % 700) as f64;
    RecordLine { recorded_unix_ms, record: Record::Utterance(Box::new(record)), consented: None }
}

/// Waits until the server has everything or knows that it is lost, and writes down what the journal says.
fn end(plan: &Plan, one: Living<'_>) {
    let stats = loop {
        let stats = one.journal.stats();
        if stats.high_water == stats.last_sequence {
            break stats;
        }
        one.uploader.wake();
        std::thread::sleep(Duration::from_millis(50));
    };
    let end = End {
        stream_id: stats.stream_id,
        last_sequence: stats.last_sequence,
        high_water: stats.high_water,
        lost: stats.lost,
    };
    std::fs::write(plan.end(one.device), serde_json::to_vec(&end).unwrap()).unwrap();
}
