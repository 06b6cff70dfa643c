//! Spelled-out numbers as digits: `twenty-one million dollars` as `$21000000`.
//!
//! Three steps: [`prepare`] makes the text easy to read word by word, [`reader`] joins number
//! words into quantities ([`quantity`]) by the meanings in [`vocabulary`], and [`polish`] joins
//! dollars with cents. Text is expected in lower case and without symbols other than `.%$¢€£`.

mod polish;
mod prepare;
mod quantity;
mod reader;
mod vocabulary;

/// The words of `text`, one space between them, with its numbers in digits.
pub(super) fn write_numbers_in_digits(text: &str) -> String {
    polish::polish(&reader::read_numbers(&prepare::prepare(text)))
}
