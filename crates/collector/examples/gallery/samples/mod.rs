//! Made-up data for every page: nothing at all, a fleet as it might be, and what somebody might send to break it.
//!
//! The tests of the pages include this module too.

mod devices;
mod engines;
mod people;

use super::pages::*;
use devices::{device, fleet, live};
pub use engines::shadow;
use engines::{adjudicate, disagreement};
pub use people::privacy;
use people::{admin, confirm, login, receipt, search};

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
