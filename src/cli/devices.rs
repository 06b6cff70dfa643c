//! `earwitness devices`: which microphones there are.

use anyhow::Result;

/// List microphones by the names that `listen --device` takes.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  earwitness devices\n  earwitness devices --json | jq -r '.[].id'")]
pub struct Args {
    /// One JSON array: id, name, host, is_default, is_monitor, native {rate, channels, format}.
    #[arg(long)]
    json: bool,
    /// Show monitors of outputs too.
    #[arg(long)]
    all: bool,
}

#[cfg(feature = "capture")]
pub fn run(args: &Args) -> Result<()> {
    use super::formats::{print, table};
    use earwitness::audio::AudioError;
    use earwitness::audio::capture::list_devices;

    let devices: Vec<_> = list_devices()?.into_iter().filter(|d| args.all || !d.is_monitor).collect();
    if args.json {
        return print(&format!("{}\n", serde_json::to_string_pretty(&devices)?));
    }
    if devices.is_empty() {
        return Err(AudioError::NoMicrophone { detail: "no sound system lists one".to_owned() }.into());
    }
    let mut out = table(&["", "id", "name", "native format"]);
    for device in &devices {
        let native = match &device.native {
            Some(n) => format!("{} Hz, {} ch, {}", n.rate, n.channels, n.format),
            None => "busy or forbidden".to_owned(),
        };
        let mark = if device.is_default { "*" } else { "" };
        out.add_row([mark, &device.id, &device.name, &native]);
    }
    print(&format!("{out}\n* is what `listen` takes when no device is named\n"))
}

#[cfg(not(feature = "capture"))]
pub fn run(_args: &Args) -> Result<()> {
    let message = "this build has no microphone capture: build with `--features capture`";
    Err(super::exit::CliError::new(super::exit::Exit::Usage, message).into())
}
