//! Exactly once, from devices that are killed, over a network that lies, into a server that is killed: nothing is lost
//! but what caps and full disks cost, which is reported, and nothing is there twice.
//!
//! `EARWITNESS_FLEET_RECORDS=1000000 EARWITNESS_FLEET_DEVICES=200` is the size that the project promises; the usual run
//! is smaller.

#![cfg(all(unix, feature = "collect", feature = "telemetry"))]

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fleet_support::check::Db;
use fleet_support::device;
use fleet_support::fleet::{Fleet, LAST_WRITE, PLAN};
use fleet_support::network::Network;
use fleet_support::oracle;
use fleet_support::plan::{Plan, device_id};
use fleet_support::server::Collector;

mod fleet_support;
#[path = "../crates/collector/tests/support/postgres.rs"]
mod postgres;

const RECORDS: &str = "EARWITNESS_FLEET_RECORDS";
const DEVICES: &str = "EARWITNESS_FLEET_DEVICES";

/// Of the records, made while there is no server. As in the plan.
const OFFLINE_THOUSANDTHS: u64 = 500;
/// Without any progress for this long something hangs.
const HANGS: Duration = Duration::from_secs(180);

#[test]
#[ignore = "the child of the tests below, which start and kill it"]
fn the_fleet() {
    let plan = std::env::var_os(PLAN).expect("the parent sets it");
    let last_write = std::env::var(LAST_WRITE).unwrap().parse().unwrap();
    device::live(&Plan::load(Path::new(&plan)), last_write);
}

#[test]
fn each_record_is_stored_once_on_sqlite() {
    run("SQLite", None);
}

#[test]
fn each_record_is_stored_once_on_postgresql() {
    run("PostgreSQL", Some(postgres::new_database()));
}

fn size(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap_or_else(|e| panic!("{variable}: {e}")))
}

/// What happens while the network works.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    FleetKilled,
    ServerKilled,
    ServerEnded,
}

struct Scene {
    plan: Plan,
    server: Collector,
    network: Network,
    fleet: Fleet,
    /// The most writes to a torn one.
    writes: u64,
}

fn run(store_name: &str, store: Option<String>) {
    let begin = Instant::now();
    let (records, devices) = (size(RECORDS, 30_000), size(DEVICES, 40));
    let kills = if records < 500_000 { 4 } else { 24 };
    let scratch = tempfile::tempdir().unwrap();
    let mut scene = Scene::new(scratch.path(), store, records, devices, kills);
    scene.offline(kills / 3);
    let offline = begin.elapsed();
    // PostgreSQL has a disk of its own.
    if scene.server.store().is_none() {
        scene.reachable_and_full();
    }
    scene.online(kills - kills / 3, kills);
    scene.drain();
    let drained = begin.elapsed();
    let Scene { plan, mut server, network, fleet, .. } = scene;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(async {
        let db = Db::open(server.store(), &server.sqlite_file()).await;
        wait(|| server.log(), async || db.behind().await).await;
        server.end();
        let found = db.check(&plan).await;
        db.close().await;
        found
    });
    assert!(server.duplicates > 0, "the network repeated nothing");
    assert!(found.capped > 0, "no cap was reached");
    assert!(fleet.kills >= kills && server.kills >= kills);
    eprintln!(
        "{store_name}: {devices} devices, {} records told and {} told lost; {} stored ({} of them untold), lost {:?} \
         (given up on the way, yet arrived: {:?}), of the told ones {} to caps and full disks; {} rolled up; {} duplicate records offered; fleet killed {} times \
         and {} in a write, server killed {} times and ended {}, {} batches not stored \
         on its full disk; network {:?}; {:.0} s ({:.0} s without a server, sent \
         after {:.0} s)",
        found.told,
        found.told_lost,
        found.stored,
        found.untold,
        found.lost,
        found.arrived,
        found.capped,
        found.rolled_up,
        server.duplicates,
        fleet.kills,
        fleet.torn_kills,
        server.kills,
        server.ends,
        server.not_stored(),
        network.deeds(),
        begin.elapsed().as_secs_f64(),
        offline.as_secs_f64(),
        drained.as_secs_f64(),
    );
}

/// Until nothing is left to do; fails if nothing is done for long.
async fn wait(log: impl Fn() -> String, left: impl AsyncFn() -> i64) {
    let (mut last, mut since) = (i64::MAX, Instant::now());
    loop {
        let left = left().await;
        if left == 0 {
            return;
        }
        if left != last {
            (last, since) = (left, Instant::now());
        }
        assert!(since.elapsed() < HANGS, "{left} are left and nothing moves: {}", log());
        std::thread::sleep(Duration::from_millis(200));
    }
}

impl Scene {
    /// All are enrolled; then the server goes away.
    fn new(folder: &Path, store: Option<String>, records: u64, devices: u64, kills: u32) -> Self {
        let mut server = Collector::new(&folder.join("server"), store);
        let key = server.appoint();
        server.start();
        let tokens = (0..devices as usize).map(|index| server.enrol(&key, &device_id(index))).collect();
        server.end();
        let network = Network::new(server.port);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        let url = format!("http://127.0.0.1:{}", network.port);
        let plan = Plan::new(&folder.join("fleet"), url, now, tokens, records);
        plan.save();
        let fleet = Fleet::new(&plan);
        Self { plan, server, network, fleet, writes: records / u64::from(2 * kills) }
    }

    fn allow(&self, thousandths: u64) {
        // Replaced in one step: half a number would be another one.
        let part = self.plan.folder.join("allowance.part");
        std::fs::write(&part, thousandths.to_string()).unwrap();
        std::fs::rename(part, self.plan.allowance()).unwrap();
    }

    /// Every other run dies in the middle of a write, if it comes that far.
    fn start_fleet(&mut self) {
        let last_write = if fastrand::bool() { fastrand::u64(1..=self.writes) } else { 0 };
        self.fleet.start(last_write);
    }

    /// 30 simulated days without a server.
    fn offline(&mut self, kills: u32) {
        self.start_fleet();
        for n in 1..=kills {
            self.allow(OFFLINE_THOUSANDTHS * u64::from(n) / u64::from(kills + 1));
            pause(300..1_500);
            self.fleet.kill();
            self.start_fleet();
        }
        self.allow(OFFLINE_THOUSANDTHS);
        let begin = Instant::now();
        while self.made() < OFFLINE_THOUSANDTHS {
            assert!(begin.elapsed() < HANGS, "the devices make nothing: {}", self.fleet.log());
            assert!(!self.fleet.has_finished());
            pause(200..201);
        }
    }

    /// How far the slowest device is, in thousandths of its share.
    fn made(&self) -> u64 {
        let made = |device| oracle::read(&self.plan.oracle(device)).len() as u64;
        let thousandths = self.plan.devices.iter().map(|device| (made(device) + 1) * 1000 / device.share);
        thousandths.min().unwrap()
    }

    /// What 30 days left comes at once, and the server's disk is full.
    fn reachable_and_full(&mut self) {
        self.server.start_on_full_disk();
        self.network.open();
        let begin = Instant::now();
        while self.server.not_stored() == 0 {
            assert!(begin.elapsed() < HANGS, "all was stored: {}", self.server.log());
            pause(50..51);
        }
        pause(200..600);
        self.server.kill();
    }

    /// The server is there, on and off, and so is the fleet.
    fn online(&mut self, fleet_kills: u32, server_kills: u32) {
        self.server.start();
        self.network.open();
        let mut events = vec![Event::ServerEnded];
        events.extend((0..fleet_kills).map(|_| Event::FleetKilled));
        events.extend((0..server_kills).map(|_| Event::ServerKilled));
        fastrand::shuffle(&mut events);
        let all = events.len() as u64;
        for (n, event) in (1..).zip(events) {
            self.allow(OFFLINE_THOUSANDTHS + (1000 - OFFLINE_THOUSANDTHS) * n / (all + 1));
            pause(100..2_000);
            assert!(!self.fleet.has_finished(), "it cannot have made all");
            if !self.server.is_up() {
                self.server.start();
                pause(0..500);
            }
            match event {
                Event::FleetKilled => {
                    self.fleet.kill();
                    pause(0..200);
                    self.start_fleet();
                }
                Event::ServerKilled => self.server.kill(),
                Event::ServerEnded => self.server.end(),
            }
            // Sometimes it is away longer, and the fleet is killed meanwhile.
            if !self.server.is_up() && fastrand::f64() < 0.75 {
                pause(0..500);
                self.server.start();
            }
        }
        if !self.server.is_up() {
            self.server.start();
        }
    }

    /// No kill any more, but the network stays as it is, until all is sent.
    fn drain(&mut self) {
        self.allow(1000);
        let requests = || self.network.deeds().requests.load(std::sync::atomic::Ordering::Relaxed);
        let (mut last, mut since) = (requests(), Instant::now());
        while !self.fleet.has_finished() {
            if requests() != last {
                (last, since) = (requests(), Instant::now());
            }
            let log = || format!("{}\n{}", self.fleet.log(), self.server.log());
            assert!(since.elapsed() < HANGS, "nothing is sent any more: {}", log());
            pause(50..100);
        }
    }
}

fn pause(ms: std::ops::Range<u64>) {
    std::thread::sleep(Duration::from_millis(fastrand::u64(ms)));
}
