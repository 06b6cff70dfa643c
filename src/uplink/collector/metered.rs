//! Whether sending costs the user money.

use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

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

/// What is done on a metered network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMetered {
    /// The same as on any other: a day of a busy device is 150 kB.
    #[default]
    Upload,
    /// Nothing is sent, until the journal is at four fifths of its cap: then records are sent down to there, because the
    /// oldest would be lost otherwise. Clips wait in any case.
    Wait,
}

/// The user's word on it: `true`, `false` or `"auto"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Setting")]
pub enum Metered {
    /// As the system says. On Linux NetworkManager is asked for its primary connection; elsewhere, and where there is none,
    /// the network counts as not metered.
    #[default]
    Auto,
    /// This, whatever the system says.
    Fixed(bool),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Setting {
    Fixed(bool),
    Auto(Auto),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Auto {
    Auto,
}

impl From<Setting> for Metered {
    fn from(setting: Setting) -> Self {
        match setting {
            Setting::Fixed(metered) => Self::Fixed(metered),
            Setting::Auto(Auto::Auto) => Self::Auto,
        }
    }
}

impl NetworkCost for Metered {
    fn is_metered(&mut self) -> bool {
        match self {
            Self::Fixed(metered) => *metered,
            Self::Auto => {
                cfg!(target_os = "linux") && ask_network_manager().is_some_and(|word| says_metered(&word))
            }
        }
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
    fn the_setting_is_a_flag_or_auto() {
        #[derive(Deserialize)]
        struct Table {
            metered: Metered,
        }
        let read = |text: &str| toml::from_str::<Table>(text).map(|table| table.metered);
        assert_eq!(read("metered = true"), Ok(Metered::Fixed(true)));
        assert_eq!(read("metered = false"), Ok(Metered::Fixed(false)));
        assert_eq!(read("metered = \"auto\""), Ok(Metered::Auto));
        assert!(read("metered = \"sometimes\"").is_err());
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        let metered: Vec<&str> = ["u 0\n", "u 1\n", "u 2\n", "u 3\n", "u 4\n", "", "s yes"]
            .into_iter()
            .filter(|w| says_metered(w))
            .collect();
        assert_eq!(metered, ["u 1\n", "u 3\n"]);
    }
}
