//! What went wrong, and what to do.

use askama::Template;

use super::Shell;

/// A page that takes the place of the one asked for.
#[derive(Clone, Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// The frame.
    pub shell: Shell,
    /// HTTP status.
    pub status: u16,
    /// What happened, in a few words: `No such device`.
    pub title: String,
    /// What happened, in a sentence. No secrets, no texts, no paths of the server.
    pub detail: String,
    /// What to do next: label and address.
    pub next: Vec<(String, String)>,
}

impl ErrorPage {
    /// The page for a status, in the usual words.
    pub fn of_status(shell: Shell, status: u16) -> Self {
        let (title, detail) = match status {
            400 => {
                ("The request could not be read", "Something in the address or the form was not understood.")
            }
            401 => ("Please log in", "This page is for people who are logged in."),
            403 => (
                "Not allowed",
                "Your role does not include this, or the form was too old. Load the page again and retry.",
            ),
            404 => (
                "Nothing here",
                "There is no page at this address; the device or the recording may have been erased.",
            ),
            413 => ("Too large", "The form held more than the server takes."),
            429 => ("Too many requests", "Wait a minute and try again."),
            503 => {
                ("Busy", "The server cannot answer right now. Nothing was changed; try again in a minute.")
            }
            _ => (
                "Something failed on the server",
                "Nothing was changed. The server's log says why; the time below helps to find it.",
            ),
        };
        let next = match status {
            401 => vec![("Log in".to_owned(), "/login".to_owned())],
            _ => vec![("Back to the fleet".to_owned(), "/".to_owned())],
        };
        Self { shell, status, title: title.to_owned(), detail: detail.to_owned(), next }
    }
}
