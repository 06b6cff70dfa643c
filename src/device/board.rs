//! [`Board`]: which computer this is, how its processor is clocked and whether its power holds.

use std::path::Path;

use super::kernel::{Thermometer, entries, word};
use super::throttle::Firmware;

/// What a board says of itself. What it does not say is absent.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Board {
    /// `Raspberry Pi 4 Model B Rev 1.4`: from the device tree, which personal computers lack.
    pub model: Option<String>,
    /// How the clock is chosen, each way once: `ondemand`, `powersave`, `performance`.
    pub governors: Vec<String>,
    /// The fastest core's clock now, MHz.
    pub clock_mhz: Option<u32>,
    /// The most that the clock may be, MHz.
    pub max_clock_mhz: Option<u32>,
    /// Degrees Celsius.
    pub temperature_celsius: Option<f64>,
    /// The power and heat flags of a Raspberry Pi's firmware.
    pub firmware: Option<FirmwareFlags>,
}

impl Board {
    /// Looks at this machine.
    pub fn read() -> Self {
        Self::below(Path::new("/"))
    }

    /// The same on a tree that looks like a kernel's.
    pub fn below(root: &Path) -> Self {
        let policies = entries(&root.join("sys/devices/system/cpu/cpufreq"), "policy");
        let mut governors: Vec<String> =
            policies.iter().filter_map(|policy| word(&policy.join("scaling_governor"))).collect();
        governors.sort();
        governors.dedup();
        let fastest = |file: &str| {
            let khz = policies.iter().filter_map(|policy| word(&policy.join(file))?.parse::<u32>().ok());
            khz.max().map(|khz| khz / 1000)
        };
        Self {
            model: model(root),
            governors,
            clock_mhz: fastest("scaling_cur_freq"),
            max_clock_mhz: fastest("cpuinfo_max_freq"),
            temperature_celsius: Thermometer::find(root).and_then(|thermometer| thermometer.celsius()),
            firmware: Firmware::find(root).and_then(|firmware| firmware.flags()),
        }
    }
}

/// The device tree's strings end with a zero byte.
fn model(root: &Path) -> Option<String> {
    let places = ["proc/device-tree/model", "sys/firmware/devicetree/base/model"];
    let text = places.iter().find_map(|place| word(&root.join(place)))?;
    Some(text.trim_matches(['\0', '\n', ' ']).to_owned()).filter(|model| !model.is_empty())
}

/// The word that `vcgencmd get_throttled` shows: bits 0 to 3 hold now, 16 to 19 held at some time since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FirmwareFlags(pub u32);

impl FirmwareFlags {
    /// Reads `throttled=0x50005`, `0x50005` or `50005`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().trim_start_matches("throttled=").trim_start_matches("0x");
        u32::from_str_radix(digits, 16).ok().map(Self)
    }

    /// Whether the voltage is too low, or was.
    pub fn under_voltage(self) -> bool {
        self.0 & 0x1_0001 != 0
    }

    /// Whether the processor is slowed down now, for whatever reason.
    pub fn held_back(self) -> bool {
        self.0 & 0b1110 != 0
    }

    /// Each bit that is set, in words.
    pub fn in_words(self) -> Vec<String> {
        let names = ["under-voltage", "clock capped", "throttled", "soft temperature limit"];
        let now = names.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1);
        let before = names.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 0x1_0001 == 0x1_0000);
        now.map(|(_, name)| format!("{name} now"))
            .chain(before.map(|(_, name)| format!("{name} since the start")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_firmwares_bits_are_told_in_words() {
        let flags = FirmwareFlags::parse("throttled=0x50005\n").unwrap();
        assert_eq!(flags.in_words(), ["under-voltage now", "throttled now"]);
        assert!(flags.under_voltage() && flags.held_back());
        let past = FirmwareFlags::parse("50000").unwrap();
        assert_eq!(past.in_words(), ["under-voltage since the start", "throttled since the start"]);
        assert!(past.under_voltage() && !past.held_back());
        assert_eq!(FirmwareFlags::parse("0x0").unwrap().in_words(), Vec::<String>::new());
        assert_eq!(FirmwareFlags::parse("error=1"), None);
    }

    #[test]
    fn a_raspberry_pi_tells_its_name_its_clock_its_heat_and_its_power() {
        let tree = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0"),
            ("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "ondemand\n"),
            ("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "600000\n"),
            ("sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq", "1800000\n"),
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("sys/class/thermal/thermal_zone0/temp", "61712\n"),
            ("sys/devices/platform/soc/soc:firmware/get_throttled", "50000\n"),
        ] {
            let path = tree.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let board = Board::below(tree.path());
        assert_eq!(board.model.as_deref(), Some("Raspberry Pi 4 Model B Rev 1.4"));
        assert_eq!(board.governors, ["ondemand"]);
        assert_eq!((board.clock_mhz, board.max_clock_mhz), (Some(600), Some(1800)));
        assert_eq!((board.temperature_celsius, board.firmware), (Some(61.712), Some(FirmwareFlags(0x50000))));
    }

    #[test]
    fn a_machine_that_tells_nothing_gives_nothing() {
        assert_eq!(Board::below(Path::new("/nowhere")), Board::default());
    }
}
