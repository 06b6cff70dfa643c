//! The question before what cannot be undone.

use askama::Template;

use super::Shell;

/// Asks once more. The form goes by POST to `action` with `csrf`, the hidden fields, and `confirmed=yes`.
#[derive(Clone, Debug, Template)]
#[template(path = "confirm.html")]
pub struct ConfirmPage {
    /// The frame.
    pub shell: Shell,
    /// The question: `Erase everything from kitchen-pi?`.
    pub question: String,
    /// What follows from it, a sentence each.
    pub consequences: Vec<String>,
    /// Where the form goes.
    pub action: String,
    /// Names and values that go with it.
    pub hidden: Vec<(String, String)>,
    /// A word to type first, in the field `typed`: the name of what is erased.
    pub type_to_confirm: Option<String>,
    /// On the button: `Erase`.
    pub button: String,
    /// Where to go instead.
    pub cancel_href: String,
}
