//! The way in and out.

use axum::Form;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::session::{COOKIE_NAME, Signed, same_origin};
use super::{Asked, Page, PageError, go_to, page};
use crate::api::{Shared, address_of};
use crate::pages::{LoginPage, Section, Shell};
use crate::store::now_ms;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Next {
    next: String,
}

#[derive(Deserialize)]
pub(super) struct SignIn {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

fn form(problem: Option<&str>, name: String, next: String) -> LoginPage {
    let shell = Shell::new(Section::Other, None, "", now_ms() as u64);
    LoginPage { shell, problem: problem.map(str::to_owned), name, next: inside(&next).to_owned() }
}

/// A path of this server; anything else is the first page.
fn inside(next: &str) -> &str {
    let ours = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\');
    if ours && next.is_ascii() && !next.contains(|c: char| c.is_ascii_control()) { next } else { "/" }
}

pub(super) async fn show(Asked(query): Asked<Next>) -> Page {
    page(&form(None, String::new(), query.next))
}

/// The access key is the password. There is no session yet whose form could prove anything: the origin has to do, and
/// the cookie is refused on requests from other sites anyway.
pub(super) async fn sign_in(State(app): State<Shared>, parts: Parts, Form(sign_in): Form<SignIn>) -> Page {
    if !same_origin(&parts.headers, &parts.uri) {
        return Err(PageError::status(StatusCode::FORBIDDEN));
    }
    let person = app.store.person_of_key(sign_in.password.trim()).await?;
    let Some(person) = person.filter(|person| person.name == sign_in.name.trim()) else {
        app.metrics.refusals.inc();
        if app.limits.refused(address_of(&parts)).is_err() {
            return Err(PageError::status(StatusCode::TOO_MANY_REQUESTS));
        }
        let problem = "Name and access key do not fit each other.";
        let mut response = page(&form(Some(problem), sign_in.name, sign_in.next))?;
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        return Ok(response);
    };
    let cookie = app.store.sign_in(&person.name).await?;
    app.store.note(&person.name, "log in", "").await?;
    let secure = if app.settings.tls.is_some() || app.settings.behind_tls { "; Secure" } else { "" };
    let cookie = format!("{COOKIE_NAME}={cookie}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200{secure}");
    let mut response = go_to(inside(&sign_in.next))?;
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

pub(super) async fn sign_out(State(app): State<Shared>, signed: Signed<Nothing>) -> Page {
    app.store.sign_out(signed.visitor.cookie()).await?;
    go_to("/login")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site_after_signing_in() {
        for (next, to) in [
            ("/shadow?range=7d", "/shadow?range=7d"),
            ("", "/"),
            ("https://elsewhere.example", "/"),
            ("//elsewhere.example", "/"),
            ("/\\elsewhere.example", "/"),
            ("/a\r\nSet-Cookie: x=y", "/"),
        ] {
            assert_eq!(inside(next), to);
        }
    }
}
