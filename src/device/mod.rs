//! [`DeviceMeter`]: how this process and the machine under it are doing.
//!
//! A few small files of the kernel are read, and one system call is made, once an utterance at most: 0.3 ms on a busy
//! x86-64 machine (`make bench`, `device_reading`). What a system does not tell is absent, never a guess.

mod board;
mod heat;
mod kernel;
#[cfg_attr(not(target_os = "linux"), path = "mailbox_off.rs")]
mod mailbox;
mod throttle;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use board::{Board, FirmwareFlags};
pub use heat::{HeatLimit, HeatWatch};
use kernel::Thermometer;
use throttle::Throttling;

/// One look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DeviceReading {
    /// Memory of the process that is in use now, bytes. Linux and Android.
    pub rss_bytes: Option<u64>,
    /// Processor time of the process over wall time since the look before; 1 is one core. Unix; absent on the first look.
    pub cpu_share: Option<f64>,
    /// The processor's temperature, degrees Celsius. Linux with a thermal zone.
    pub temperature_celsius: Option<f64>,
    /// The processor runs slower than it could, to stay cool or for want of power. Linux, where firmware, counters or a
    /// cooling device tell.
    pub throttled: Option<bool>,
}

/// Reads the kernel's figures; remembers what a share is counted from.
#[derive(Debug)]
pub struct DeviceMeter {
    thermometer: Option<Thermometer>,
    throttling: Option<Throttling>,
    root: PathBuf,
    before: Option<(Instant, Duration)>,
}

impl Default for DeviceMeter {
    fn default() -> Self {
        Self::new()
    }
}

impl DeviceMeter {
    /// Looks for what this machine can tell.
    pub fn new() -> Self {
        Self::below(Path::new("/"))
    }

    /// The same on a tree that looks like a kernel's.
    pub fn below(root: &Path) -> Self {
        Self {
            thermometer: Thermometer::find(root),
            throttling: Throttling::find(root),
            root: root.to_owned(),
            before: None,
        }
    }

    /// Looks now.
    pub fn read(&mut self) -> DeviceReading {
        let cpu = cpu_time().map(|used| (Instant::now(), used));
        let before = std::mem::replace(&mut self.before, cpu);
        DeviceReading {
            rss_bytes: kernel::rss_bytes(&self.root),
            cpu_share: before.zip(cpu).and_then(|(before, now)| share(before, now)),
            temperature_celsius: self.thermometer.as_ref().and_then(Thermometer::celsius),
            throttled: self.throttling.as_mut().and_then(Throttling::now),
        }
    }
}

/// Processor time over wall time. `None` for less than a millisecond, which says nothing.
fn share((then, before): (Instant, Duration), (now, used): (Instant, Duration)) -> Option<f64> {
    let wall = now.saturating_duration_since(then).as_secs_f64();
    (wall >= 1e-3).then(|| used.saturating_sub(before).as_secs_f64() / wall)
}

/// Processor time of this process, all threads, kernel and user.
fn cpu_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        use nix::sys::resource::{UsageWho, getrusage};
        use nix::sys::time::TimeValLike as _;
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
        let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        u64::try_from(microseconds).ok().map(Duration::from_micros)
    }
    #[cfg(not(unix))]
    None
}

/// Free space for this user at `folder`, or at its nearest parent that exists, bytes.
pub fn disk_free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let existing = folder.ancestors().find(|p| p.exists())?;
        let stat = nix::sys::statvfs::statvfs(existing).ok()?;
        // Both are u64 on some systems and u32 on others.
        #[allow(clippy::unnecessary_cast, reason = "the types differ between systems")]
        Some((stat.blocks_available() as u64).saturating_mul(stat.fragment_size() as u64))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// Operating system and processor: `linux-aarch64`.
pub fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Processors that this process may use; 1 where the system does not tell.
pub fn cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
