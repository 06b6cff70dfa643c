//! How many threads pay: one for each fast core that this process may use.
//!
//! Two threads on one physical core share its arithmetic, and a small core of a phone keeps the big ones
//! waiting at every barrier. Linux tells both in its device tree of processors; elsewhere every core counts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A core with less than this share of the fastest one's capacity is small: in phones the small ones have
/// 0.2 to 0.5, the second fastest 0.7 to 0.9.
const FAST_SHARE: f64 = 0.6;
/// From this many cores on, one is left to the rest of the system: capture, sound server, the caller.
const LEAVE_ONE_FROM: usize = 4;

/// The default number of threads, the caller's among them.
pub(crate) fn default_threads() -> usize {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    let fast = fast_cores(Path::new("/sys/devices/system/cpu")).unwrap_or(allowed);
    match allowed.min(fast) {
        cores @ LEAVE_ONE_FROM.. => cores - 1,
        cores => cores.max(1),
    }
}

/// Physical cores near the fastest one's capacity, by the kernel's `cpu` folder; `None` where it does not tell.
fn fast_cores(cpus: &Path) -> Option<usize> {
    let online = fs::read_to_string(cpus.join("online")).ok()?;
    let cores: Vec<(String, f64)> = numbers(online.trim())?
        .into_iter()
        .map(|n| {
            let cpu = cpus.join(format!("cpu{n}"));
            let read =
                |file: &str| fs::read_to_string(cpu.join(file)).ok().map(|text| text.trim().to_owned());
            let siblings = read("topology/core_cpus_list").or_else(|| read("topology/thread_siblings_list"));
            // Without a capacity all cores are alike.
            let capacity = read("cpu_capacity").and_then(|text| text.parse().ok()).unwrap_or(1024.0);
            (siblings.unwrap_or_else(|| n.to_string()), capacity)
        })
        .collect();
    let most = cores.iter().map(|(_, capacity)| *capacity).fold(0.0, f64::max);
    let fast: BTreeSet<&String> =
        cores.iter().filter(|(_, capacity)| *capacity >= FAST_SHARE * most).map(|(core, _)| core).collect();
    (!fast.is_empty()).then_some(fast.len())
}

/// The numbers of a list such as `0-3,6`, at most 4096 of them.
fn numbers(list: &str) -> Option<Vec<usize>> {
    let mut all = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if last < first || last - first + all.len() >= 4096 {
            return None;
        }
        all.extend(first..=last);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder like the kernel's, with the siblings and capacity of each processor.
    fn machine(online: &str, cpus: &[(&str, Option<u32>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("online"), online).unwrap();
        for (n, (siblings, capacity)) in cpus.iter().enumerate() {
            let cpu = folder.path().join(format!("cpu{n}"));
            fs::create_dir_all(cpu.join("topology")).unwrap();
            fs::write(cpu.join("topology/core_cpus_list"), format!("{siblings}\n")).unwrap();
            if let Some(capacity) = capacity {
                fs::write(cpu.join("cpu_capacity"), format!("{capacity}\n")).unwrap();
            }
        }
        folder
    }

    #[test]
    fn two_threads_of_a_core_count_once() {
        let laptop = machine("0-3\n", &[("0,2", None), ("1,3", None), ("0,2", None), ("1,3", None)]);
        assert_eq!(fast_cores(laptop.path()), Some(2));
    }

    #[test]
    fn small_cores_do_not_count() {
        let phone: Vec<(String, Option<u32>)> = [250, 250, 250, 250, 768, 768, 768, 1024]
            .iter()
            .enumerate()
            .map(|(n, capacity)| (n.to_string(), Some(*capacity)))
            .collect();
        let phone: Vec<_> = phone.iter().map(|(core, capacity)| (core.as_str(), *capacity)).collect();
        assert_eq!(fast_cores(machine("0-7", &phone).path()), Some(4));
    }

    #[test]
    fn cores_that_are_off_do_not_count_and_an_unreadable_list_is_no_answer() {
        let cpus = [("0", None), ("1", None), ("2", None)];
        assert_eq!(fast_cores(machine("0,2\n", &cpus).path()), Some(2));
        for damaged in ["", "x", "3-1", "0-", "0-99999999999"] {
            assert_eq!(fast_cores(machine(damaged, &cpus).path()), None, "{damaged:?}");
        }
        assert_eq!(fast_cores(Path::new("/nonexistent")), None);
    }

    #[test]
    fn there_is_always_a_thread() {
        assert!(default_threads() >= 1);
    }
}
