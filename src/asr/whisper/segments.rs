//! Tokens to timed segments.
//!
//! With timestamps a window reads `<|0.00|> text <|2.40|><|2.40|> more <|5.00|>`: each pair of
//! timestamps encloses a segment. A window that ends in a pair says that speech goes on from there,
//! and the next window begins at that time. So it does at the last pair of a window that ran out of
//! tokens or repeated itself; the text after that pair is heard again.

use super::vocabulary::SpecialTokens;

/// A segment's tokens and its times in seconds from the window's beginning.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) start: f64,
    pub(super) end: f64,
    /// Text tokens alone.
    pub(super) tokens: Vec<u32>,
}

/// A window's segments, and where the next window must begin if this one stopped early.
#[derive(Debug, PartialEq)]
pub(super) struct Spans {
    pub(super) spans: Vec<Span>,
    /// Seconds from the window's beginning; `None` if the window was heard to its end.
    pub(super) resume_at: Option<f64>,
}

/// Cuts `tokens` at their timestamps; `seconds` is how much audio the window holds, `complete` whether the
/// model ended the text itself.
pub(super) fn split(tokens: &[u32], special: &SpecialTokens, seconds: f64, complete: bool) -> Spans {
    let tokens = if complete { tokens } else { up_to_last_pair(tokens, special) };
    let mut spans = Vec::new();
    let mut start = 0.0;
    let mut text = Vec::new();
    let mut last_time = None;
    for &token in tokens {
        match special.seconds(token) {
            None => text.push(token),
            Some(time) => {
                let time = time.min(seconds);
                if !text.is_empty() {
                    spans.push(Span { start, end: time.max(start), tokens: std::mem::take(&mut text) });
                }
                start = time;
                last_time = Some(time);
            }
        }
    }
    if !text.is_empty() {
        spans.push(Span { start, end: seconds.max(start), tokens: text });
    }
    let n = tokens.len();
    let ends_in_pair =
        n >= 2 && special.seconds(tokens[n - 1]).is_some() && special.seconds(tokens[n - 2]).is_some();
    Spans { spans, resume_at: last_time.filter(|&t| ends_in_pair && t > 0.0) }
}

/// The tokens up to and with the last pair of timestamps after some text; all if there is none.
fn up_to_last_pair<'a>(tokens: &'a [u32], special: &SpecialTokens) -> &'a [u32] {
    let is_time = |at: usize| special.seconds(tokens[at]).is_some();
    let end = (2..tokens.len()).rev().find(|&at| is_time(at) && is_time(at - 1));
    end.map_or(tokens, |at| &tokens[..=at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn special() -> SpecialTokens {
        SpecialTokens::of(51_864)
    }

    fn t(seconds: f64) -> u32 {
        special().first_timestamp + (seconds / 0.02).round() as u32
    }

    #[test]
    fn pairs_of_timestamps_enclose_segments() {
        let found = split(&[t(0.0), 1, 2, t(2.4), t(2.4), 3, t(5.0)], &special(), 6.0, true);
        assert_eq!(
            found.spans,
            [
                Span { start: 0.0, end: 2.4, tokens: vec![1, 2] },
                Span { start: 2.4, end: 5.0, tokens: vec![3] }
            ]
        );
        assert_eq!(found.resume_at, None);
    }

    #[test]
    fn a_window_that_ends_in_a_pair_is_to_be_resumed_there() {
        let found = split(&[t(0.0), 1, t(2.4), t(2.4)], &special(), 20.0, true);
        assert_eq!(found.resume_at, Some(2.4));
    }

    #[test]
    fn a_window_that_ran_out_is_resumed_at_its_last_pair() {
        let tokens = [t(0.0), 1, t(2.4), t(2.4), 2, t(5.0), t(5.0), 3, 4];
        let found = split(&tokens, &special(), 20.0, false);
        assert_eq!(found.spans.len(), 2);
        assert_eq!(found.resume_at, Some(5.0));
        let without_pairs = split(&[t(0.0), 1, 2], &special(), 20.0, false);
        assert_eq!((without_pairs.spans.len(), without_pairs.resume_at), (1, None));
    }

    #[test]
    fn text_without_timestamps_is_one_segment_of_the_whole_window() {
        let found = split(&[1, 2], &special(), 3.5, true);
        assert_eq!(found.spans, [Span { start: 0.0, end: 3.5, tokens: vec![1, 2] }]);
    }

    #[test]
    fn times_stay_within_the_audio() {
        let found = split(&[t(0.0), 1, t(9.0)], &special(), 4.0, true);
        assert_eq!(found.spans[0].end, 4.0);
    }
}
