//! Reads a text word by word and joins number words into numbers.
//!
//! At most one number is open at any time. A word adds to it, ends it, or ends it and is copied.
//! The rules look one word back and one ahead, never further.

use super::super::characters::split_words;
use super::quantity::{Quantity, is_number};
use super::vocabulary::{NumberWord, meaning};

const CURRENCIES: [char; 4] = ['£', '€', '$', '¢'];

/// The words of `text`, one space between them, with number words replaced by digits.
pub(super) fn read_numbers(text: &str) -> String {
    let words: Vec<Word> = split_words(text).map(Word::new).collect();
    let mut reader = Reader::default();
    let mut index = 0;
    while let Some(word) = words.get(index) {
        let previous = index.checked_sub(1).and_then(|before| words[before].meaning);
        let taken = reader.read(previous, word, words.get(index + 1));
        index += taken;
    }
    reader.close();
    reader.written
}

/// A word and its meaning in a number, if any.
#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    meaning: Option<NumberWord>,
}

impl<'a> Word<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, meaning: meaning(text) }
    }

    /// Whether a number can go on with this word.
    fn can_be_in_number(&self) -> bool {
        self.meaning.is_some() || is_number(self.text)
    }

    /// Whether this word can follow a decimal point.
    fn can_be_decimal(&self) -> bool {
        let spelled =
            matches!(self.meaning, Some(NumberWord::Zero | NumberWord::Unit(_) | NumberWord::Tens(_)));
        spelled || is_number(self.text)
    }
}

/// The text written so far and the number that is open.
#[derive(Default)]
struct Reader {
    written: String,
    open: Option<Quantity>,
    /// Sign or currency for what is written next.
    prefix: Option<char>,
}

impl Reader {
    /// Reads `word` and says how many words that took: 2 if it made use of `next`, too.
    fn read(&mut self, previous: Option<NumberWord>, word: &Word, next: Option<&Word>) -> usize {
        if self.read_digits(word.text) {
            return 1;
        }
        match word.meaning {
            None => self.copy(word.text),
            Some(NumberWord::Zero) => self.open = Some(self.written_behind("0")),
            Some(NumberWord::Unit(value)) => self.open = Some(self.with_unit(previous, value)),
            Some(NumberWord::SuffixedUnit(value, suffix)) => {
                let number = self.with_unit(previous, value);
                self.finish(&number, suffix);
            }
            Some(NumberWord::Tens(value)) => self.open = Some(self.with_tens(value)),
            Some(NumberWord::SuffixedTens(value, suffix)) => {
                let number = self.with_tens(value);
                self.finish(&number, suffix);
            }
            Some(NumberWord::Scale(zeros)) => self.open = Some(self.with_scale(zeros)),
            Some(NumberWord::SuffixedScale(zeros, suffix)) => {
                let number = self.with_scale(zeros);
                self.finish(&number, suffix);
            }
            Some(NumberWord::Sign(sign)) => {
                self.close();
                if next.is_some_and(Word::can_be_in_number) {
                    self.prefix = Some(sign);
                } else {
                    self.write(word.text);
                }
            }
            Some(NumberWord::Currency(symbol)) => {
                if self.open.is_some() {
                    self.prefix = Some(symbol);
                    self.close();
                } else {
                    self.write(word.text);
                }
            }
            Some(NumberWord::Percent) => match self.open.take() {
                Some(number) => self.finish(&number, "%"),
                None => self.write(word.text),
            },
            Some(NumberWord::Per) => {
                let cent_follows = next.is_some_and(|next| next.text == "cent");
                match self.open.take_if(|_| cent_follows) {
                    Some(number) => {
                        self.finish(&number, "%");
                        return 2;
                    }
                    None => self.copy(word.text),
                }
            }
            Some(NumberWord::And | NumberWord::Repeat(_) | NumberWord::Point)
                if !next.is_some_and(Word::can_be_in_number) =>
            {
                self.copy(word.text);
            }
            Some(NumberWord::And) => {
                if !matches!(previous, Some(NumberWord::Scale(_))) {
                    self.copy(word.text);
                }
            }
            Some(NumberWord::Repeat(times)) => {
                let digit = match next.and_then(|next| next.meaning) {
                    Some(NumberWord::Zero) => 0,
                    Some(NumberWord::Unit(value)) => value,
                    _ => {
                        self.copy(word.text);
                        return 1;
                    }
                };
                let digits = digit.to_string().repeat(usize::from(times));
                self.open = Some(self.written_behind(&digits));
                return 2;
            }
            Some(NumberWord::Point) => {
                // Before a word that cannot be a decimal, the point is lost: so the published
                // rules have it.
                if next.is_some_and(Word::can_be_decimal) {
                    self.open = Some(self.written_behind("."));
                }
            }
        }
        1
    }

    /// Reads a number in digits, with or without a currency symbol before it; false if `text` is
    /// none.
    fn read_digits(&mut self, text: &str) -> bool {
        let symbol = text.chars().next().filter(|c| CURRENCIES.contains(c));
        let digits = &text[symbol.map_or(0, char::len_utf8)..];
        let Some(number) = Quantity::parse(digits) else {
            return false;
        };
        match self.open.take() {
            Some(open) if open.ends_in_point() => self.open = Some(open.followed_by(text)),
            open => {
                self.open = open;
                self.close();
                self.prefix = symbol.or(self.prefix);
                self.open = Some(number);
            }
        }
        true
    }

    /// The open number with `text` behind it. An open zero does not count.
    fn written_behind(&self, text: &str) -> Quantity {
        match &self.open {
            Some(open) if *open != Quantity::whole("0") => open.followed_by(text),
            _ => Quantity::Written(text.to_owned()),
        }
    }

    /// The open number with a word from `one` to `nineteen`.
    fn with_unit(&self, previous: Option<NumberWord>, value: u8) -> Quantity {
        let Some(open) = &self.open else {
            return Quantity::whole(&value.to_string());
        };
        let side_by_side = || open.followed_by(&value.to_string());
        match (open, previous) {
            (Quantity::Written(_), Some(NumberWord::Tens(_))) if value < 10 => open.with_last_digit(value),
            (Quantity::Written(_), _) | (_, Some(NumberWord::Unit(_))) => side_by_side(),
            _ => open.filled_with(value).unwrap_or_else(side_by_side),
        }
    }

    /// The open number with a word from `twenty` to `ninety`.
    fn with_tens(&self, value: u8) -> Quantity {
        match &self.open {
            None => Quantity::whole(&value.to_string()),
            Some(open) => open.filled_with(value).unwrap_or_else(|| open.followed_by(&value.to_string())),
        }
    }

    /// The open number with a scale word. A number that cannot be scaled is written out first.
    fn with_scale(&mut self, zeros: u32) -> Quantity {
        let Some(open) = &self.open else {
            return Quantity::power_of_ten(zeros);
        };
        open.scaled(zeros).unwrap_or_else(|| {
            self.close();
            Quantity::power_of_ten(zeros)
        })
    }

    /// Writes the open number, if there is one.
    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.write(open.as_str());
        }
    }

    /// Writes `number` with `suffix` in place of the open number.
    fn finish(&mut self, number: &Quantity, suffix: &str) {
        self.open = None;
        self.write(&format!("{}{suffix}", number.as_str()));
    }

    /// Ends the open number and writes `word`.
    fn copy(&mut self, word: &str) {
        self.close();
        self.write(word);
    }

    fn write(&mut self, word: &str) {
        if !self.written.is_empty() {
            self.written.push(' ');
        }
        self.written.extend(self.prefix.take());
        self.written.push_str(word);
    }
}

#[cfg(test)]
mod tests {
    use super::read_numbers;

    #[test]
    fn cardinals_add_up() {
        assert_eq!(read_numbers("two million three hundred and five"), "2000305");
        assert_eq!(read_numbers("nineteen eighty four"), "1984");
        assert_eq!(read_numbers("one oh one"), "101");
        assert_eq!(read_numbers("double oh seven"), "007");
    }

    #[test]
    fn suffixed_words_end_the_number() {
        assert_eq!(read_numbers("twenty first two"), "21st 2");
        assert_eq!(read_numbers("nineteen sixties"), "1960s");
        assert_eq!(read_numbers("two hundredth"), "200th");
    }

    #[test]
    fn prefixes_and_suffixes_move_to_the_number() {
        assert_eq!(read_numbers("minus five"), "-5");
        assert_eq!(read_numbers("five dollars and ten cents"), "$5 and ¢10");
        assert_eq!(read_numbers("ten per cent or ten percent"), "10% or 10%");
        assert_eq!(read_numbers("per cent minus sign"), "per cent minus sign");
    }

    #[test]
    fn points_join_digits() {
        assert_eq!(read_numbers("three point one four"), "3.14");
        assert_eq!(read_numbers("two point five million"), "2500000");
        assert_eq!(read_numbers("point taken"), "point taken");
    }
}
