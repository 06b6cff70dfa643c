//! The way in.

use askama::Template;

use super::Shell;

/// `/login`: the form goes by POST to `/login` with `csrf`, `name`, `password` and `next`.
#[derive(Clone, Debug, Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    /// The frame, with nobody logged in.
    pub shell: Shell,
    /// Why the last try failed, without saying whether the name exists.
    pub problem: Option<String>,
    /// The name of the last try.
    pub name: String,
    /// Path to go to afterwards; the handler checks that it is one of this server.
    pub next: String,
}
