//! The languages Whisper was trained on, in the order of their tokens.

/// A language Whisper can transcribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language {
    /// The code in Whisper's tokens: `en`, `yue`. Javanese is `jw` there, not `jv`.
    pub code: &'static str,
    /// The English name.
    pub name: &'static str,
}

/// In token order. Models before large-v3 know the first 99.
#[rustfmt::skip]
pub const LANGUAGES: [Language; 100] = [
    l("en", "English"), l("zh", "Chinese"), l("de", "German"), l("es", "Spanish"), l("ru", "Russian"),
    l("ko", "Korean"), l("fr", "French"), l("ja", "Japanese"), l("pt", "Portuguese"), l("tr", "Turkish"),
    l("pl", "Polish"), l("ca", "Catalan"), l("nl", "Dutch"), l("ar", "Arabic"), l("sv", "Swedish"),
    l("it", "Italian"), l("id", "Indonesian"), l("hi", "Hindi"), l("fi", "Finnish"), l("vi", "Vietnamese"),
    l("he", "Hebrew"), l("uk", "Ukrainian"), l("el", "Greek"), l("ms", "Malay"), l("cs", "Czech"),
    l("ro", "Romanian"), l("da", "Danish"), l("hu", "Hungarian"), l("ta", "Tamil"), l("no", "Norwegian"),
    l("th", "Thai"), l("ur", "Urdu"), l("hr", "Croatian"), l("bg", "Bulgarian"), l("lt", "Lithuanian"),
    l("la", "Latin"), l("mi", "Maori"), l("ml", "Malayalam"), l("cy", "Welsh"), l("sk", "Slovak"),
    l("te", "Telugu"), l("fa", "Persian"), l("lv", "Latvian"), l("bn", "Bengali"), l("sr", "Serbian"),
    l("az", "Azerbaijani"), l("sl", "Slovenian"), l("kn", "Kannada"), l("et", "Estonian"),
    l("mk", "Macedonian"), l("br", "Breton"), l("eu", "Basque"), l("is", "Icelandic"), l("hy", "Armenian"),
    l("ne", "Nepali"), l("mn", "Mongolian"), l("bs", "Bosnian"), l("kk", "Kazakh"), l("sq", "Albanian"),
    l("sw", "Swahili"), l("gl", "Galician"), l("mr", "Marathi"), l("pa", "Punjabi"), l("si", "Sinhala"),
    l("km", "Khmer"), l("sn", "Shona"), l("yo", "Yoruba"), l("so", "Somali"), l("af", "Afrikaans"),
    l("oc", "Occitan"), l("ka", "Georgian"), l("be", "Belarusian"), l("tg", "Tajik"), l("sd", "Sindhi"),
    l("gu", "Gujarati"), l("am", "Amharic"), l("yi", "Yiddish"), l("lo", "Lao"), l("uz", "Uzbek"),
    l("fo", "Faroese"), l("ht", "Haitian Creole"), l("ps", "Pashto"), l("tk", "Turkmen"), l("nn", "Nynorsk"),
    l("mt", "Maltese"), l("sa", "Sanskrit"), l("lb", "Luxembourgish"), l("my", "Burmese"), l("bo", "Tibetan"),
    l("tl", "Tagalog"), l("mg", "Malagasy"), l("as", "Assamese"), l("tt", "Tatar"), l("haw", "Hawaiian"),
    l("ln", "Lingala"), l("ha", "Hausa"), l("ba", "Bashkir"), l("jw", "Javanese"), l("su", "Sundanese"),
    l("yue", "Cantonese"),
];

const fn l(code: &'static str, name: &'static str) -> Language {
    Language { code, name }
}

/// Finds a language by its code or English name, in any case.
pub fn find_language(text: &str) -> Option<Language> {
    LANGUAGES.iter().find(|l| l.code.eq_ignore_ascii_case(text) || l.name.eq_ignore_ascii_case(text)).copied()
}

/// Whether words are written without spaces, so that word times go by character.
pub(super) fn written_without_spaces(code: &str) -> bool {
    matches!(code, "zh" | "ja" | "th" | "lo" | "my" | "yue")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_found_by_code_and_by_name() {
        assert_eq!(find_language("German").map(|l| l.code), Some("de"));
        assert_eq!(find_language("EN").map(|l| l.name), Some("English"));
        assert_eq!(find_language("klingon"), None);
    }
}
