//! What `doctor` says of the computer itself: which board, its clock, its heat, its power.

use std::path::Path;
use std::process::Command;

use earwitness::device::{Board, FirmwareFlags};

use super::doctor::Check;

/// Where a Raspberry Pi's firmware begins to slow the processor down, degrees Celsius.
const HOT_CELSIUS: f64 = 80.0;

/// The board below `root`, which is `/` outside tests.
pub fn look(root: &Path) -> Board {
    let mut board = Board::below(root);
    let raspberry = board.model.as_deref().is_some_and(|model| model.contains("Raspberry Pi"));
    // Who may not ask the firmware may often run its own program, which asks as another group.
    if board.firmware.is_none() && raspberry && root == Path::new("/") {
        let answer = Command::new("vcgencmd").arg("get_throttled").output().ok();
        board.firmware =
            answer.and_then(|answer| FirmwareFlags::parse(&String::from_utf8_lossy(&answer.stdout)));
    }
    board
}

/// One check for each thing that the board tells.
pub fn checks(board: &Board) -> Vec<Check> {
    let model = board.model.as_ref().map(|model| Check::ok("board", model.clone()));
    [model, clock(board), heat(board), power(board)].into_iter().flatten().collect()
}

fn clock(board: &Board) -> Option<Check> {
    let mhz = |mhz: Option<u32>| mhz.map_or_else(|| "?".to_owned(), |mhz| mhz.to_string());
    let found = format!(
        "{}, {} of {} MHz",
        board.governors.join(" and "),
        mhz(board.clock_mhz),
        mhz(board.max_clock_mhz)
    );
    let slow = board.governors.iter().any(|governor| governor == "powersave");
    match board.governors.is_empty() {
        true => None,
        // Some drivers, such as intel_pstate, call a governor `powersave` that raises the clock; boards' do not.
        false if slow && board.model.is_some() => Some(Check::warning(
            "clock",
            found,
            "the governor keeps the lowest clock; as root: \
             echo ondemand > /sys/devices/system/cpu/cpufreq/policy0/scaling_governor",
        )),
        false => Some(Check::ok("clock", found)),
    }
}

fn heat(board: &Board) -> Option<Check> {
    let celsius = board.temperature_celsius?;
    let found = format!("{celsius:.0} °C");
    // Personal computers are made to run hotter than boards without a fan.
    match celsius >= HOT_CELSIUS && board.model.is_some() {
        true => Some(Check::warning(
            "heat",
            found,
            "the processor slows down at this temperature: a heat sink or a fan helps, and a case with holes",
        )),
        false => Some(Check::ok("heat", found)),
    }
}

fn power(board: &Board) -> Option<Check> {
    let flags = board.firmware?;
    let found = format!("{:#x}: {}", flags.0, flags.in_words().join(", "));
    if flags.under_voltage() {
        return Some(Check::warning(
            "power",
            found,
            "the supply or its cable does not hold 5 V: audio is lost and cards are damaged by it; use the board's own supply",
        ));
    }
    if flags.held_back() {
        return Some(Check::warning("power", found, "the processor is slowed down now: see to its cooling"));
    }
    let found = if flags.0 == 0 { "holds, never throttled since the start".to_owned() } else { found };
    Some(Check::ok("power", found))
}
