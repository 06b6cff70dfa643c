//! Consent that does not hold any more: what it let stand beside a record's figures is not sent.

use serde_json::{Map, Value};

use crate::telemetry::Scope;

/// The record in `json` without what only `withdrawn` scopes cover; `None` if it cannot be told.
pub(super) fn without(json: Vec<u8>, withdrawn: &[Scope]) -> Option<Vec<u8>> {
    const FIELD: &[u8] = b"\"consented\"";
    if withdrawn.is_empty() || !json.windows(FIELD.len()).any(|bytes| bytes == FIELD) {
        return Some(json);
    }
    let mut line: Map<String, Value> = serde_json::from_slice(&json).ok()?;
    let Some(consented) = line.get_mut("consented") else { return Some(json) };
    let consented = consented.as_object_mut()?;
    consented.retain(|field, _| match scope_of(field) {
        Some(scope) => !withdrawn.contains(&scope),
        // A field of another version: nobody knows what covers it.
        None => field == "consent",
    });
    if consented.keys().all(|field| field == "consent") {
        line.remove("consented");
    }
    serde_json::to_vec(&line).ok()
}

fn scope_of(field: &str) -> Option<Scope> {
    match field {
        "text" | "shadow_text" | "corrected_text" => Some(Scope::Text),
        "speaker" => Some(Scope::Speaker),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Consent, Consented, Record, RecordLine, SessionRecord, Speaker};

    fn line() -> RecordLine {
        let text = |text: &str| Some(text.to_owned());
        let consented = Consented {
            consent: Consent { granted_unix_ms: 7, scopes: vec![Scope::Text, Scope::Speaker] },
            text: text("one"),
            shadow_text: text("two"),
            corrected_text: text("three"),
            speaker: Some(Speaker { subject_id: "anna".into(), attributes: Default::default() }),
        };
        let record = Record::Session(SessionRecord { session_id: "s".into(), ..SessionRecord::default() });
        RecordLine { recorded_unix_ms: 1, record, consented: Some(consented) }
    }

    fn sent(withdrawn: &[Scope]) -> RecordLine {
        let json = without(serde_json::to_vec(&line()).unwrap(), withdrawn).unwrap();
        serde_json::from_slice(&json).unwrap()
    }

    #[test]
    fn each_scope_takes_what_it_covers_and_the_figures_stay() {
        assert_eq!(sent(&[]), line());
        assert_eq!(sent(&[Scope::Audio]), line());
        let whole = line().consented.unwrap();
        let Consented { consent, speaker, .. } = whole.clone();
        let anonymous = Consented { speaker: None, ..whole };
        assert_eq!(sent(&[Scope::Speaker]).consented, Some(anonymous));
        let wordless = Consented { consent, speaker, text: None, shadow_text: None, corrected_text: None };
        assert_eq!(sent(&[Scope::Text]).consented, Some(wordless));
        assert_eq!(sent(&[Scope::Text, Scope::Speaker]), RecordLine { consented: None, ..line() });
    }

    #[test]
    fn what_cannot_be_told_is_not_sent() {
        let withdrawn = [Scope::Text];
        let unknown = br#"{"kind":"x","consented":{"consent":{},"voice":"abc"}}"#.to_vec();
        assert_eq!(without(unknown, &withdrawn).unwrap(), br#"{"kind":"x"}"#);
        for broken in [&br#"{"consented":"#[..], br#"{"consented":"text"}"#] {
            assert_eq!(without(broken.to_vec(), &withdrawn), None);
        }
        let said = br#"{"body":{"profile":"\"consented\""}}"#.to_vec();
        assert_eq!(without(said.clone(), &withdrawn), Some(said), "a name is no field");
    }
}
