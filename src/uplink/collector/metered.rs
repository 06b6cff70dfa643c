//! Whether sending costs the user money.

use std::process::{Command, Stdio};

/// Says whether the network is metered. Asked once a round, and only if something waits.
pub trait NetworkCost: Send {
    /// Whether bytes cost money. Unknown counts as no.
    fn is_metered(&mut self) -> bool;
}

impl<F: FnMut() -> bool + Send> NetworkCost for F {
    fn is_metered(&mut self) -> bool {
        self()
    }
}

/// What the system says. On Linux NetworkManager is asked for its primary connection; elsewhere, and where there is none,
/// the network counts as not metered.
#[derive(Clone, Copy, Debug)]
pub struct SystemNetwork;

impl NetworkCost for SystemNetwork {
    fn is_metered(&mut self) -> bool {
        cfg!(target_os = "linux") && ask_network_manager().is_some_and(|word| says_metered(&word))
    }
}

/// The property `Metered` of the primary connection, over the system bus; `None` without bus or NetworkManager.
fn ask_network_manager() -> Option<String> {
    const NAME: &str = "org.freedesktop.NetworkManager";
    let output = Command::new("busctl")
        .args(["--system", "--timeout=2", "--auto-start=no", "get-property", NAME])
        .args(["/org/freedesktop/NetworkManager", NAME, "Metered"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `u 1` is yes and `u 3` a guess that it is, such as for a phone's hotspot; 0 is unknown, 2 no, 4 a guess that it is not.
fn says_metered(word: &str) -> bool {
    matches!(word.trim(), "u 1" | "u 3")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        let metered: Vec<&str> = ["u 0\n", "u 1\n", "u 2\n", "u 3\n", "u 4\n", "", "s yes"]
            .into_iter()
            .filter(|w| says_metered(w))
            .collect();
        assert_eq!(metered, ["u 1\n", "u 3\n"]);
    }
}
