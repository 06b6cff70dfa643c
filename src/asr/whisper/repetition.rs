//! Loops: the failure in which a decoder says the same thing until it runs out of tokens.
//!
//! A loop is confident, so its log-probability is fine; what gives it away is that its tail
//! repeats. Seen early, it costs a few tokens instead of two hundred.

/// Longest repeated phrase that is looked for, in tokens.
const MAX_PERIOD: usize = 24;
/// Tokens that the repeats must span: a person may say "no" six times.
const MIN_SPAN: usize = 18;
/// Times a phrase must stand in a row.
const MIN_REPEATS: usize = 4;

/// If the end of `tokens` is one phrase over and over, how many tokens to keep: up to its first turn.
pub(super) fn looped(tokens: &[u32]) -> Option<usize> {
    (1..=MAX_PERIOD.min(tokens.len() / MIN_REPEATS)).find_map(|period| {
        let repeated =
            tokens.iter().rev().zip(tokens.iter().rev().skip(period)).take_while(|(a, b)| a == b).count();
        let span = repeated + period;
        (span >= MIN_SPAN.max(period * MIN_REPEATS)).then(|| tokens.len() - repeated)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_said_over_and_over_is_a_loop_and_its_first_turn_is_kept() {
        let mut tokens = vec![1, 2, 3];
        for _ in 0..6 {
            tokens.extend([7, 8, 9, 10]);
        }
        assert_eq!(looped(&tokens), Some(7));
    }

    #[test]
    fn a_few_repeats_are_speech() {
        assert_eq!(looped(&[1, 5, 5, 5, 5, 5, 5, 2]), None);
        assert_eq!(looped(&[5, 6, 5, 6, 5, 6]), None);
        assert_eq!(looped(&[]), None);
    }

    #[test]
    fn one_token_for_ever_is_a_loop() {
        assert_eq!(looped(&[9; 20]), Some(1));
    }
}
