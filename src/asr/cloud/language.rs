//! Language names as providers write them, to the codes used here.

use crate::asr::whisper::LanguageChoice;

/// `english`, `en`, `en-US` and `en-us` are all `en`; what is not known stays as it is.
pub(super) fn code(name: &str) -> Option<String> {
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    let primary = name.split(['-', '_']).next().unwrap_or(name).to_ascii_lowercase();
    match LanguageChoice::parse(&primary) {
        Ok(LanguageChoice::Pinned(code)) => Some(code),
        _ => Some(primary),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_and_regional_codes_become_codes() {
        for (name, code) in [
            ("english", Some("en")),
            ("English", Some("en")),
            ("en-US", Some("en")),
            ("de_AT", Some("de")),
            ("tlh", Some("tlh")),
            ("", None),
        ] {
            assert_eq!(super::code(name).as_deref(), code, "{name}");
        }
    }
}
