//! What a device was told by its journal, one file a device: written after `append` returned, with a single write.
//!
//! `begin N` stands before the first record of a run: the counter never goes back, so no two records have one name, even
//! if a kill came between a record and its line.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

/// What became of an `append`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Kept, under this sequence.
    Kept { n: u64, sequence: u64 },
    /// Lost, under this sequence.
    Lost { sequence: u64 },
    /// Kept and not yet durable; the journal did not name the sequence.
    Unsure,
}

pub struct Oracle {
    file: File,
    /// Of the next record.
    pub n: u64,
    /// Answers so far.
    pub made: u64,
}

impl Oracle {
    pub fn open(path: &Path) -> Self {
        let (whole, mut highest, mut made) = (whole(path), None, 0);
        for line in whole.lines() {
            let mut words = line.split(' ');
            let kind = words.next().unwrap();
            let n: u64 = words.next().unwrap().parse().unwrap();
            highest = highest.max(Some(n));
            made += u64::from(kind != "begin");
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.set_len(whole.len() as u64).unwrap();
        // The one after the last may be in the journal without a line here.
        let n = highest.map_or(0, |n| n + 2);
        file.write_all(format!("begin {n}\n").as_bytes()).unwrap();
        Self { file, n, made }
    }

    pub fn told(&mut self, told: Told) {
        let n = self.n;
        let line = match told {
            Told::Kept { sequence, .. } => format!("kept {n} {sequence}\n"),
            Told::Lost { sequence } => format!("lost {n} {sequence}\n"),
            Told::Unsure => format!("unsure {n}\n"),
        };
        self.file.write_all(line.as_bytes()).unwrap();
        self.n += 1;
        self.made += 1;
    }
}

/// What a kill cut off was never told.
fn whole(path: &Path) -> String {
    let mut text = std::fs::read_to_string(path).unwrap_or_default();
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    text
}

/// All answers of all runs.
pub fn read(path: &Path) -> Vec<Told> {
    let told = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse().unwrap();
        match words[0] {
            "kept" => Some(Told::Kept { n: number(1), sequence: number(2) }),
            "lost" => Some(Told::Lost { sequence: number(2) }),
            "unsure" => Some(Told::Unsure),
            "begin" => None,
            other => panic!("an oracle does not say {other:?}"),
        }
    };
    whole(path).lines().filter_map(told).collect()
}
