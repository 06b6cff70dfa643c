//! Whether the processor is held back. Four sources, the surest first.

use std::path::{Path, PathBuf};

use super::board::FirmwareFlags;
use super::kernel::{entries, word};
use super::mailbox::Mailbox;

/// Where kernels until 2025 show the firmware's word; it forgets there what was.
const SHOWN: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";

/// The firmware of a Raspberry Pi; see [`FirmwareFlags`].
#[derive(Debug)]
pub(super) enum Firmware {
    /// It is asked.
    Mailbox(Mailbox),
    /// The kernel shows its word.
    Shown(PathBuf),
}

impl Firmware {
    /// The one below `root`; asked only where that is this machine.
    pub(super) fn find(root: &Path) -> Option<Self> {
        let mailbox = if root == Path::new("/") { Mailbox::open() } else { None };
        if let Some(mailbox) = mailbox {
            return Some(Self::Mailbox(mailbox));
        }
        let shown = root.join(SHOWN);
        shown.exists().then_some(Self::Shown(shown))
    }

    pub(super) fn flags(&self) -> Option<FirmwareFlags> {
        match self {
            Self::Mailbox(mailbox) => mailbox.flags(),
            Self::Shown(path) => FirmwareFlags::parse(&word(path)?),
        }
    }
}

/// Where this machine tells.
#[derive(Debug)]
pub(super) enum Throttling {
    /// The firmware of a Raspberry Pi.
    Firmware(Firmware),
    /// x86: how often each core and its package were throttled, ever.
    Counters { paths: Vec<PathBuf>, before: Option<u64> },
    /// The cooling devices that slow the processor down: a state above 0 does.
    Cooling(Vec<PathBuf>),
}

impl Throttling {
    pub(super) fn find(root: &Path) -> Option<Self> {
        if let Some(firmware) = Firmware::find(root) {
            return Some(Self::Firmware(firmware));
        }
        let cpus = entries(&root.join("sys/devices/system/cpu"), "cpu");
        let counters = ["core_throttle_count", "package_throttle_count"];
        let paths: Vec<PathBuf> = cpus
            .iter()
            .flat_map(|cpu| counters.map(|counter| cpu.join("thermal_throttle").join(counter)))
            .filter(|path| path.exists())
            .collect();
        if !paths.is_empty() {
            return Some(Self::Counters { paths, before: None });
        }
        let slows = |kind: &str| kind.contains("cpufreq") || kind == "Processor";
        let cooling: Vec<PathBuf> = entries(&root.join("sys/class/thermal"), "cooling_device")
            .into_iter()
            .filter(|device| word(&device.join("type")).is_some_and(|kind| slows(&kind)))
            .map(|device| device.join("cur_state"))
            .collect();
        (!cooling.is_empty()).then_some(Self::Cooling(cooling))
    }

    /// Whether the processor is held back, or was since the last look; counters tell from the second look on.
    pub(super) fn now(&mut self) -> Option<bool> {
        match self {
            Self::Firmware(firmware) => firmware.flags().map(FirmwareFlags::held_back),
            Self::Counters { paths, before } => {
                let total = paths.iter().map(|path| word(path)?.parse::<u64>().ok()).sum::<Option<u64>>()?;
                before.replace(total).map(|before| total > before)
            }
            Self::Cooling(paths) => {
                let states = paths.iter().map(|path| word(path)?.parse::<u64>().ok());
                states.collect::<Option<Vec<_>>>().map(|states| states.iter().any(|&state| state > 0))
            }
        }
    }
}
