//! Which microphones there are, and how one is found by name.

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{Device, ErrorKind, Host, HostId};

use super::helper::within_timeout;
use crate::audio::AudioError;

/// The sound systems tried first, in this order: servers share a microphone between programs and
/// report their own death, bare ALSA does neither.
const HOST_PREFERENCE: [&str; 2] = ["pulseaudio", "pipewire"];

/// ALSA's plugins that are no microphones, by the part of the name before the colon. Some of them
/// print errors when opened; `hw` and the rest of a card's aliases repeat its `plughw`.
const ALSA_PLUGINS: [&str; 26] = [
    "a52",
    "center_lfe",
    "dmix",
    "dshare",
    "dsnoop",
    "file",
    "front",
    "hdmi",
    "hw",
    "iec958",
    "jack",
    "lavrate",
    "modem",
    "null",
    "oss",
    "phoneline",
    "rear",
    "samplerate",
    "side",
    "spdif",
    "speex",
    "speexrate",
    "surround",
    "upmix",
    "usbstream",
    "vdownmix",
];

/// A device's own format.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct NativeInput {
    /// Frames per second.
    pub rate: u32,
    /// Samples per frame.
    pub channels: u16,
    /// Sample format, such as `i16` or `f32`.
    pub format: String,
}

/// A microphone that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct InputDevice {
    /// What to ask for: sound system and device, such as `pulseaudio:alsa_input.usb-Blue`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The sound system, such as `pulseaudio` or `alsa`.
    pub host: String,
    /// Whether that sound system would pick it.
    pub is_default: bool,
    /// It records what an output plays, not a microphone.
    pub is_monitor: bool,
    /// Its format; `None` while it is busy or forbidden.
    pub native: Option<NativeInput>,
}

/// Every input device on every sound system that answers, the preferred system first.
///
/// # Errors
/// [`AudioError::SoundSystemStuck`] if a sound system does not answer. Finding none is an empty list.
pub fn list_devices() -> Result<Vec<InputDevice>, AudioError> {
    within_timeout("listing input devices", || {
        Ok(hosts_in_order()
            .into_iter()
            .filter_map(|id| cpal::host_from_id(id).ok())
            .flat_map(|h| described(&h))
            .collect())
    })
}

/// Names of the sound systems that are compiled in and may be present.
pub(super) fn host_names() -> Vec<String> {
    hosts_in_order().into_iter().map(host_name).collect()
}

/// The device called `wanted`: its id, the part of the id after the colon, or its description, in
/// any case; or else the only one with `wanted` in id or description. `host` limits where it is looked for.
pub(super) fn find_named(wanted: &str, host: Option<&str>) -> Result<Device, AudioError> {
    let (mut devices, mut names) = (Vec::new(), Vec::new());
    for host in searched_hosts(host)? {
        for device in host.input_devices().into_iter().flatten().filter(is_microphone) {
            names.push((id_of(&device), name_of(&device)));
            devices.push(device);
        }
    }
    let known = |which: &[usize]| which.iter().map(|&n| names[n].0.clone()).collect();
    match chosen(wanted, &names) {
        Ok(n) => Ok(devices.swap_remove(n)),
        Err(several) if several.is_empty() => {
            let all: Vec<usize> = (0..names.len()).collect();
            Err(AudioError::UnknownMicrophone { name: wanted.to_owned(), known: known(&all) })
        }
        Err(several) => {
            Err(AudioError::AmbiguousMicrophone { name: wanted.to_owned(), matching: known(&several) })
        }
    }
}

/// Which of `names` (id and description) is meant by `wanted`; otherwise the ones that may be, on different cards.
fn chosen(wanted: &str, names: &[(String, String)]) -> Result<usize, Vec<usize>> {
    let is = |(id, name): &(String, String)| {
        let bare = id.split_once(':').map_or("", |(_, rest)| rest);
        [id, bare, name].iter().any(|name| name.eq_ignore_ascii_case(wanted))
    };
    if let Some(n) = names.iter().position(is) {
        return Ok(n);
    }
    let part = wanted.to_lowercase();
    let has = |(id, name): &(String, String)| {
        !is_monitor(id) && format!("{id} {name}").to_lowercase().contains(&part)
    };
    let matching: Vec<usize> = (0..names.len()).filter(|&n| !part.is_empty() && has(&names[n])).collect();
    let Some(&first) = matching.first() else { return Err(Vec::new()) };
    // A card goes by several names, and by each sound system's own.
    let card = |n: usize| card_of(&names[n].0).to_owned();
    let system = |n: usize| names[n].0.split(':').next().unwrap_or_default().to_owned();
    let preferred: Vec<usize> = matching.iter().copied().filter(|&n| system(n) == system(first)).collect();
    match preferred.iter().all(|&n| card(n) == card(first)) {
        true => Ok(preferred.iter().copied().find(|&n| names[n].0.contains(":plughw:")).unwrap_or(first)),
        false => Err(preferred),
    }
}

/// What an id says of its card: `CARD=…` of ALSA's, the whole id of others.
fn card_of(id: &str) -> &str {
    let card = id.split_once("CARD=").map(|(_, rest)| rest.split(',').next().unwrap_or(rest));
    card.unwrap_or(id)
}

/// The microphone of a machine that has one, and whose `default` is something else: a board's first card only plays.
fn only_one(host: Option<&str>) -> Option<Device> {
    let mut found: Option<Device> = None;
    for host in searched_hosts(host).ok()? {
        for device in host.input_devices().into_iter().flatten() {
            let id = id_of(&device);
            if !id.starts_with("alsa:plughw:") || device.default_input_config().is_err() {
                continue;
            }
            match &found {
                Some(other) if card_of(&id_of(other)) != card_of(&id) => return None,
                Some(_) => {}
                None => found = Some(device),
            }
        }
    }
    found
}

/// The default input of the first sound system that has a usable one.
pub(super) fn find_default(host: Option<&str>) -> Result<Device, AudioError> {
    let (mut reasons, mut refused) = (Vec::new(), None);
    for host in searched_hosts(host)? {
        let name = host_name(host.id());
        let Some(device) = host.default_input_device() else {
            reasons.push(format!("{name} has no input"));
            continue;
        };
        if is_monitor(&id_of(&device)) {
            reasons.push(format!(
                "the default input {} only records an output; name it to use it",
                id_of(&device)
            ));
            continue;
        }
        match device.default_input_config() {
            Ok(_) => return Ok(device),
            Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::DeviceBusy) => {
                refused.get_or_insert(device_error(&id_of(&device), e));
            }
            Err(e) => reasons.push(format!("{name}: {e}")),
        }
    }
    if refused.is_none()
        && let Some(device) = only_one(host)
    {
        tracing::info!(
            device = id_of(&device),
            "there is no default input: the only card that records is used"
        );
        return Ok(device);
    }
    if reasons.is_empty() {
        reasons.push("no sound system answers".to_owned());
    }
    Err(refused.unwrap_or(AudioError::NoMicrophone { detail: reasons.join("; ") }))
}

/// cpal's error as ours, by what the reader should do about it.
pub(super) fn device_error(id: &str, error: cpal::Error) -> AudioError {
    let (device, kind, source) = (id.to_owned(), error.kind(), error.into());
    match kind {
        ErrorKind::PermissionDenied => AudioError::MicrophonePermission { device, source },
        ErrorKind::DeviceBusy => AudioError::MicrophoneBusy { device, source },
        ErrorKind::UnsupportedConfig | ErrorKind::UnsupportedOperation => {
            AudioError::MicrophoneFormat { device, source }
        }
        _ => AudioError::MicrophoneFailed { device, source },
    }
}

/// The device's id as `sound system:device`.
pub(super) fn id_of(device: &Device) -> String {
    device.id().map_or_else(|_| name_of(device), |id| id.to_string())
}

/// A sound system's name as it appears in ids.
pub(super) fn host_name(id: HostId) -> String {
    id.to_string().to_lowercase()
}

fn hosts_in_order() -> Vec<HostId> {
    let mut hosts = cpal::available_hosts();
    let rank = |id: &HostId| {
        let name = host_name(*id);
        HOST_PREFERENCE.iter().position(|preferred| *preferred == name).unwrap_or(HOST_PREFERENCE.len())
    };
    hosts.sort_by_key(rank);
    hosts
}

/// The sound systems that answer, or only the one named.
fn searched_hosts(only: Option<&str>) -> Result<Vec<Host>, AudioError> {
    let all = hosts_in_order();
    let Some(only) = only else {
        return Ok(all.into_iter().filter_map(|id| cpal::host_from_id(id).ok()).collect());
    };
    let unknown = || AudioError::UnknownHost { name: only.to_owned(), known: host_names() };
    let id = all.into_iter().find(|id| host_name(*id).eq_ignore_ascii_case(only)).ok_or_else(unknown)?;
    Ok(vec![cpal::host_from_id(id).map_err(|e| device_error(only, e))?])
}

fn described(host: &Host) -> Vec<InputDevice> {
    let default = host.default_input_device().map(|d| id_of(&d));
    host.input_devices()
        .into_iter()
        .flatten()
        .filter(is_microphone)
        .filter_map(|device| {
            let id = id_of(&device);
            let native = match device.default_input_config() {
                Ok(c) => Some(NativeInput {
                    rate: c.sample_rate(),
                    channels: c.channels(),
                    format: c.sample_format().to_string(),
                }),
                Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::DeviceBusy) => None,
                Err(_) => return None,
            };
            Some(InputDevice {
                name: name_of(&device),
                host: host_name(host.id()),
                is_default: default.as_ref() == Some(&id),
                is_monitor: is_monitor(&id),
                native,
                id,
            })
        })
        .collect()
}

fn name_of(device: &Device) -> String {
    device.description().map_or_else(|_| device.to_string(), |d| d.name().to_owned())
}

fn is_microphone(device: &Device) -> bool {
    !is_alsa_plugin(&id_of(device))
}

/// PulseAudio and PipeWire name an output's loopback so.
fn is_monitor(id: &str) -> bool {
    id.ends_with(".monitor")
}

fn is_alsa_plugin(id: &str) -> bool {
    let Some(pcm) = id.strip_prefix("alsa:") else { return false };
    let plugin = pcm.split(':').next().unwrap_or(pcm);
    // surround51, lavrate_best, speexrate_medium...
    ALSA_PLUGINS.iter().any(|junk| {
        plugin.strip_prefix(junk).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('_') || rest.chars().all(|c| c.is_ascii_digit())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_name_is_enough_where_it_names_one_card() {
        let names: Vec<_> = [
            ("pulseaudio:alsa_input.usb-Blue_Yeti-00.analog-stereo", "Yeti Analog Stereo"),
            ("pulseaudio:alsa_output.usb-Blue_Yeti-00.analog-stereo.monitor", "Monitor of Yeti"),
            ("alsa:default", "Default"),
            ("alsa:sysdefault:CARD=Device", "USB PnP Sound Device"),
            ("alsa:plughw:CARD=Device,DEV=0", "USB PnP Sound Device"),
            ("alsa:plughw:CARD=Webcam,DEV=0", "USB camera"),
        ]
        .map(|(id, name)| (id.to_owned(), name.to_owned()))
        .into();
        for (wanted, which) in [
            ("alsa:default", Ok(2)),
            ("PLUGHW:card=webcam,dev=0", Ok(5)),
            ("yeti", Ok(0)),
            ("pnp", Ok(4)),
            ("camera", Ok(5)),
            ("usb pnp sound device", Ok(3)),
            ("usb-blue", Ok(0)),
            ("plughw", Err(vec![4, 5])),
            ("nothing", Err(vec![])),
            ("", Err(vec![])),
        ] {
            assert_eq!(chosen(wanted, &names), which, "{wanted}");
        }
    }

    #[test]
    fn plugins_are_left_out_and_cards_servers_and_own_names_stay() {
        for junk in [
            "alsa:null",
            "alsa:oss",
            "alsa:surround51:CARD=PCH,DEV=0",
            "alsa:hw:CARD=0,DEV=0",
            "alsa:lavrate_best",
            "alsa:speexrate_medium",
        ] {
            assert!(is_alsa_plugin(junk), "{junk}");
        }
        for device in [
            "alsa:default",
            "alsa:pulse",
            "alsa:plughw:CARD=PCH,DEV=0",
            "alsa:sysdefault:CARD=PCH",
            "alsa:vmic",
            "alsa:hwmic",
            "pulseaudio:jack",
        ] {
            assert!(!is_alsa_plugin(device), "{device}");
        }
    }

    #[test]
    fn the_loopback_of_an_output_is_no_microphone() {
        assert!(is_monitor("pulseaudio:auto_null.monitor"));
        assert!(!is_monitor("pulseaudio:alsa_input.pci"));
    }
}
