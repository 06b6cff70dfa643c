//! `state.json`: what the journal knows beside its records.

use serde::{Deserialize, Serialize};

use super::segment::{MAX_SEQUENCE, StreamId};
use crate::telemetry::LostRange;

/// The file's name.
pub(super) const STATE_FILE: &str = "state.json";

/// Replaced in one step, always whole: a checksum in its first line, then JSON, so that a person can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// 32 hexadecimal digits.
    pub(super) stream_id: String,
    /// Everything up to here the server has or knows to be lost.
    pub(super) high_water: u64,
    /// The stream had come at least this far: none of these sequences is ever given again.
    pub(super) reached: u64,
    /// What was lost above `high_water`.
    #[serde(default)]
    pub(super) lost: Vec<LostRange>,
    /// Records lost since the journal was made.
    #[serde(default)]
    pub(super) lost_total: u64,
}

impl State {
    pub(super) fn encode(&self) -> Vec<u8> {
        // Numbers and strings: this cannot fail.
        let json = serde_json::to_string(self).unwrap_or_default();
        format!("{:08x}\n{json}\n", crc32fast::hash(json.as_bytes())).into_bytes()
    }

    /// `None` if it was changed or cut.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (crc, json) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
        let json = json.strip_suffix('\n')?;
        let whole = u32::from_str_radix(crc, 16).ok()? == crc32fast::hash(json.as_bytes());
        let state: Self = serde_json::from_str(json).ok().filter(|_| whole)?;
        let fits = stream_from_text(&state.stream_id).is_some() && state.high_water <= state.reached;
        let ranges =
            state.lost.iter().all(|r| r.first_sequence <= r.last_sequence && r.last_sequence <= MAX_SEQUENCE);
        (fits && ranges && state.reached <= MAX_SEQUENCE).then_some(state)
    }
}

/// A stream's id as text.
pub(super) fn stream_to_text(id: &StreamId) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The id in `text`, which `stream_to_text` made.
pub(super) fn stream_from_text(text: &str) -> Option<StreamId> {
    let mut id = StreamId::default();
    let pairs = text.as_bytes().as_chunks::<2>().0;
    (text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())).then_some(())?;
    for (byte, pair) in id.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::LossReason;

    #[test]
    fn a_state_is_read_whole_or_not_at_all() {
        let state = State {
            stream_id: "00112233445566778899aabbccddeeff".into(),
            high_water: 12,
            reached: 40,
            lost: vec![LostRange { first_sequence: 13, last_sequence: 20, reason: LossReason::SizeCap }],
            lost_total: 8,
        };
        let bytes = state.encode();
        assert_eq!(State::decode(&bytes), Some(state.clone()));
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 1;
            assert_ne!(State::decode(&changed), Some(state.clone()), "byte {i}");
            assert_eq!(State::decode(&bytes[..i]), None, "cut to {i}");
        }
        assert_eq!(stream_to_text(&stream_from_text(&state.stream_id).unwrap()), state.stream_id);
    }
}
