//! Choosing what a page shows: time range, filters, pages of a list. All of it stands in the address, so that a view can
//! be kept and sent.

/// Time ranges on offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeRange {
    /// 15 minutes.
    QuarterHour,
    /// 1 hour.
    Hour,
    /// 24 hours: long enough to show a day's rhythm, so pages begin with it.
    #[default]
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
}

impl TimeRange {
    /// Every range, the shortest first.
    pub const ALL: [Self; 5] = [Self::QuarterHour, Self::Hour, Self::Day, Self::Week, Self::Month];

    /// Its value in the address: `?range=24h`.
    pub fn key(self) -> &'static str {
        match self {
            Self::QuarterHour => "15m",
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// The range of that value.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.key() == key)
    }

    /// Its name.
    pub fn label(self) -> &'static str {
        match self {
            Self::QuarterHour => "15 min",
            Self::Hour => "1 h",
            Self::Day => "24 h",
            Self::Week => "7 d",
            Self::Month => "30 d",
        }
    }

    /// How long it is, ms.
    pub fn span_ms(self) -> u64 {
        match self {
            Self::QuarterHour => 15 * 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
            Self::Week => 7 * 86_400_000,
            Self::Month => 30 * 86_400_000,
        }
    }

    /// A width of buckets that gives some 60 points, ms: what a small plot can show.
    pub fn step_ms(self) -> u64 {
        match self {
            Self::QuarterHour => 15_000,
            Self::Hour => 60_000,
            Self::Day => 1_800_000,
            Self::Week => 3 * 3_600_000,
            Self::Month => 12 * 3_600_000,
        }
    }
}

/// A list to choose one value from.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Its name in the address: `device`.
    pub name: &'static str,
    /// Its name for people: `Device`.
    pub label: &'static str,
    /// What can be chosen.
    pub values: Vec<String>,
    /// What is; `None` is all of them.
    pub chosen: Option<String>,
}

impl Filter {
    /// A filter; an empty choice is none.
    pub fn new(name: &'static str, label: &'static str, values: Vec<String>, chosen: Option<String>) -> Self {
        Self { name, label, values, chosen: chosen.filter(|value| !value.is_empty()) }
    }

    /// Value and whether it is chosen; a chosen value that is not on offer any more comes first.
    pub(crate) fn options(&self) -> Vec<(&str, bool)> {
        let gone = self.chosen.as_deref().filter(|chosen| !self.values.iter().any(|value| value == chosen));
        let offered =
            self.values.iter().map(|value| (value.as_str(), self.chosen.as_deref() == Some(value.as_str())));
        gone.map(|value| (value, true)).into_iter().chain(offered).collect()
    }
}

/// The form above a page.
#[derive(Clone, Debug, Default)]
pub struct FilterBar {
    /// Path of the page: `/live`.
    pub action: String,
    /// The time range, where the page has one.
    pub range: Option<TimeRange>,
    /// Its filters.
    pub filters: Vec<Filter>,
    /// What else stands in the address and stays there when the form is sent: the sort order, the search.
    pub kept: Vec<(&'static str, String)>,
}

impl FilterBar {
    /// Whether a filter is set.
    pub fn narrowed(&self) -> bool {
        self.filters.iter().any(|filter| filter.chosen.is_some())
    }

    /// The address of this view without filters.
    pub(crate) fn cleared(&self) -> String {
        let changes: Vec<_> = self.filters.iter().map(|filter| (filter.name, "")).collect();
        self.href_with(&changes)
    }

    /// The address of this view with `changes` made: a parameter gets another value, or goes if the value is empty.
    pub fn href_with(&self, changes: &[(&str, &str)]) -> String {
        let range = self.range.map(|range| ("range", range.key().to_owned()));
        let chosen =
            self.filters.iter().filter_map(|filter| filter.chosen.clone().map(|value| (filter.name, value)));
        let mut pairs: Vec<(&str, String)> =
            range.into_iter().chain(chosen).chain(self.kept.iter().cloned()).collect();
        for (name, value) in changes {
            pairs.retain(|(kept, _)| kept != name);
            pairs.push((name, (*value).to_owned()));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        href(&self.action, &pairs)
    }

    /// Every range with its address and whether it is this one.
    pub(crate) fn ranges(&self) -> Vec<(&'static str, String, bool)> {
        let ranges = if self.range.is_some() { &TimeRange::ALL[..] } else { &[] };
        ranges
            .iter()
            .map(|range| {
                (range.label(), self.href_with(&[("range", range.key())]), Some(*range) == self.range)
            })
            .collect()
    }
}

/// Where in a list the page is.
#[derive(Clone, Debug, Default)]
pub struct Pager {
    /// Rank of the first entry shown, counted from 1; 0 for an empty list.
    pub first: u64,
    /// Rank of the last entry shown.
    pub last: u64,
    /// Entries in all, where counting is cheap.
    pub total: Option<u64>,
    /// Address of the page before; see [`FilterBar::href_with`].
    pub previous_href: Option<String>,
    /// Address of the page after.
    pub next_href: Option<String>,
}

impl Pager {
    /// Whether all there is stands on this page.
    pub(crate) fn single(&self) -> bool {
        self.previous_href.is_none() && self.next_href.is_none()
    }
}

/// An address with its query.
///
/// ```
/// # use earwitness_collector::pages::href;
/// assert_eq!(href("/search", &[("q", "two teas".into())]), "/search?q=two%20teas");
/// ```
pub fn href(path: &str, query: &[(&str, String)]) -> String {
    let pairs: Vec<_> =
        query.iter().map(|(name, value)| format!("{}={}", segment(name), segment(value))).collect();
    let mark = if pairs.is_empty() { "" } else { "?" };
    format!("{path}{mark}{}", pairs.join("&"))
}

/// `text` as one segment of a path, or one value of a query (RFC 3986): all but unreserved characters escaped.
pub fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar() -> FilterBar {
        let device = Filter::new("device", "Device", vec!["a".into(), "b".into()], Some("b".into()));
        let engine = Filter::new("engine", "Engine", vec![], Some(String::new()));
        FilterBar {
            action: "/live".into(),
            range: Some(TimeRange::Hour),
            filters: vec![device, engine],
            kept: vec![("sort", "errors".into())],
        }
    }

    #[test]
    fn addresses_keep_the_view_and_change_what_is_asked() {
        assert_eq!(bar().href_with(&[]), "/live?range=1h&device=b&sort=errors");
        assert_eq!(bar().href_with(&[("device", ""), ("page", "2")]), "/live?range=1h&sort=errors&page=2");
    }

    #[test]
    fn what_has_a_meaning_in_addresses_is_escaped() {
        assert_eq!(href("/s", &[("q", "a&b=\"ż\"/?#".into())]), "/s?q=a%26b%3D%22%C5%BC%22%2F%3F%23");
    }

    #[test]
    fn a_choice_that_is_not_offered_any_more_is_still_shown() {
        let filter = Filter::new("version", "Version", vec!["2".into()], Some("1".into()));
        assert_eq!(filter.options(), [("1", true), ("2", false)]);
        assert!(bar().narrowed());
    }

    #[test]
    fn every_range_has_its_own_key_and_a_drawable_number_of_points() {
        for range in TimeRange::ALL {
            assert_eq!(TimeRange::from_key(range.key()), Some(range));
            assert!((48..=64).contains(&(range.span_ms() / range.step_ms())));
        }
    }
}
