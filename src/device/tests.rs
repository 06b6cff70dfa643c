use std::fs;

use super::*;

/// A folder that looks like a kernel's files.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(path, text)| tree.write(path, text));
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn meter(&self) -> DeviceMeter {
        DeviceMeter::below(self.0.path())
    }
}

const FIRMWARE: &str = "sys/devices/platform/soc/soc:firmware/get_throttled";

#[test]
fn a_raspberry_pi_tells_heat_memory_and_being_held_back() {
    let tree = Tree::new(&[
        ("proc/self/status", "Name:\tx\nVmPeak:\t  999 kB\nVmRSS:\t   21504 kB\n"),
        ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
        ("sys/class/thermal/thermal_zone0/temp", "61712\n"),
        (FIRMWARE, "50005\n"),
    ]);
    let mut meter = tree.meter();
    let reading = meter.read();
    assert_eq!(reading.rss_bytes, Some(21_504 * 1024));
    assert_eq!(reading.temperature_celsius, Some(61.712));
    assert_eq!(reading.throttled, Some(true), "bit 2: throttled now");
    for (bits, throttled) in [("0", false), ("50000", false), ("1", false), ("0x2", true), ("e0008", true)] {
        tree.write(FIRMWARE, bits);
        assert_eq!(meter.read().throttled, Some(throttled), "{bits}");
    }
}

#[test]
fn counters_tell_from_the_second_look_on() {
    let counter = "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count";
    let tree = Tree::new(&[(counter, "7\n")]);
    let mut meter = tree.meter();
    assert_eq!(meter.read().throttled, None);
    assert_eq!(meter.read().throttled, Some(false));
    tree.write(counter, "9\n");
    assert_eq!(meter.read().throttled, Some(true));
    assert_eq!(meter.read().throttled, Some(false));
}

#[test]
fn a_cooling_device_of_the_processor_tells_and_a_fan_does_not() {
    let (fan, cpu) = ("sys/class/thermal/cooling_device0", "sys/class/thermal/cooling_device1");
    let tree = Tree::new(&[(&format!("{fan}/type"), "pwm-fan"), (&format!("{fan}/cur_state"), "3")]);
    assert_eq!(tree.meter().read().throttled, None);
    tree.write(&format!("{cpu}/type"), "cpufreq-cpu0");
    tree.write(&format!("{cpu}/cur_state"), "0");
    assert_eq!(tree.meter().read().throttled, Some(false));
    tree.write(&format!("{cpu}/cur_state"), "2");
    assert_eq!(tree.meter().read().throttled, Some(true));
}

#[test]
fn the_processors_zone_is_found_among_others_and_none_is_guessed() {
    let zone = |n: u32, kind: &'static str| {
        [
            (format!("sys/class/thermal/thermal_zone{n}/type"), kind),
            (format!("sys/class/thermal/thermal_zone{n}/temp"), "40000"),
        ]
    };
    let tree = |zones: &[[(String, &'static str); 2]]| {
        Tree::new(&zones.iter().flatten().map(|(path, text)| (path.as_str(), *text)).collect::<Vec<_>>())
    };
    let found = |tree: Tree| tree.meter().read().temperature_celsius;
    assert_eq!(found(tree(&[zone(0, "battery"), zone(1, "x86_pkg_temp")])), Some(40.0));
    assert_eq!(found(tree(&[zone(0, "battery"), zone(1, "wifi")])), None);
    assert_eq!(found(tree(&[zone(0, "acpitz")])), Some(40.0));
}

#[test]
fn damaged_or_missing_files_are_no_figures() {
    let tree = Tree::new(&[
        ("proc/self/status", "VmRSS: many kB"),
        ("sys/class/thermal/thermal_zone0/type", "cpu"),
        ("sys/class/thermal/thermal_zone0/temp", "-274000"),
        (FIRMWARE, "what?"),
    ]);
    for tree in [tree, Tree::new(&[])] {
        let reading = tree.meter().read();
        let figures = (reading.rss_bytes, reading.temperature_celsius, reading.throttled);
        assert_eq!(figures, (None, None, None));
    }
}

#[test]
fn the_share_is_of_the_time_between_two_looks() {
    let now = Instant::now();
    let later = now + Duration::from_secs(2);
    let used = |ms| Duration::from_millis(ms);
    assert_eq!(share((now, used(100)), (later, used(3_100))), Some(1.5));
    assert_eq!(share((now, used(100)), (now, used(200))), None);
}

#[cfg(target_os = "linux")]
#[test]
fn this_machine_tells_its_memory_its_share_and_its_disk() {
    let mut meter = DeviceMeter::new();
    assert_eq!(meter.read().cpu_share, None);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(5) {
        std::hint::black_box(0);
    }
    let reading = meter.read();
    assert!(reading.cpu_share.is_some_and(|share| share > 0.0));
    assert!(reading.rss_bytes.is_some_and(|bytes| bytes > 1 << 20));
    assert!(disk_free_bytes(Path::new("/tmp/not/there/yet")).is_some());
    assert!(platform().starts_with("linux-") && cores() >= 1);
}
