//! Who looks: by a cookie that a script cannot read and another site cannot send; forms prove that they are ours.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{COOKIE, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::{Form, RequestExt};
use serde::de::DeserializeOwned;

use super::PageError;
use crate::api::Shared;
use crate::pages::{Section, Shell, Who};
use crate::store::{Person, Role, now_ms};
use crate::vault::{secret_hash, to_hex};

/// The cookie of somebody signed in.
pub(crate) const COOKIE_NAME: &str = "earwitness";

/// Somebody signed in.
pub(crate) struct Visitor {
    pub(crate) person: Person,
    cookie: String,
}

impl Visitor {
    /// Whether they may do what `role` may.
    pub(crate) fn must_be(&self, role: Role) -> Result<(), PageError> {
        match self.person.role >= role {
            true => Ok(()),
            false => Err(PageError::status(StatusCode::FORBIDDEN)),
        }
    }

    /// The frame of a page for them.
    pub(crate) fn shell(&self, section: Section) -> Shell {
        let who = Who { name: self.person.name.clone(), role: role(self.person.role) };
        Shell::new(section, Some(who), csrf(&self.cookie), now_ms() as u64)
    }

    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }
}

/// The store's role as pages have it.
pub(crate) fn role(role: Role) -> crate::pages::Role {
    match role {
        Role::Viewer => crate::pages::Role::Viewer,
        Role::Labeller => crate::pages::Role::Labeller,
        Role::Admin => crate::pages::Role::Admin,
    }
}

/// What a form of this sign-in must carry: who cannot read the cookie cannot know it.
fn csrf(cookie: &str) -> String {
    to_hex(&secret_hash(&format!("csrf {cookie}")))
}

/// The value of our cookie.
pub(crate) fn cookie_of(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE_NAME && value.len() < 100).then_some(value))
}

impl FromRequestParts<Shared> for Visitor {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, PageError> {
        let Some(cookie) = cookie_of(&parts.headers) else { return Err(PageError::sign_in()) };
        let person = app.store.person_of_cookie(cookie).await?;
        person.map(|person| Self { person, cookie: cookie.to_owned() }).ok_or_else(PageError::sign_in)
    }
}

/// A form that came from one of our own pages.
pub(crate) struct Signed<T> {
    pub(crate) visitor: Visitor,
    pub(crate) form: T,
}

impl<T: DeserializeOwned + 'static> FromRequest<Shared> for Signed<T> {
    type Rejection = PageError;

    async fn from_request(mut request: Request, app: &Shared) -> Result<Self, PageError> {
        let visitor: Visitor = request.extract_parts_with_state(app).await?;
        if !same_origin(request.headers(), request.uri()) {
            return Err(PageError::status(StatusCode::FORBIDDEN));
        }
        let form = Form::<Vec<(String, String)>>::from_request(request, app).await;
        let Form(pairs) = form.map_err(|refused| PageError::status(refused.status()))?;
        let proof = pairs.iter().find_map(|(name, value)| (name == "csrf").then_some(value.as_str()));
        if !proof.is_some_and(|proof| equal(proof, &csrf(&visitor.cookie))) {
            return Err(PageError::status(StatusCode::FORBIDDEN));
        }
        // Again, now as what it is: fields are few.
        let fields: serde_json::Map<String, serde_json::Value> =
            pairs.into_iter().map(|(name, value)| (name, value.into())).collect();
        let form = serde_json::from_value(fields.into());
        let form = form.map_err(|_| PageError::bad("The form lacks a field."))?;
        Ok(Self { visitor, form })
    }
}

/// Whether a request comes from a page of this server. Browsers name the origin of every form that is sent by POST. Over
/// HTTP/2 the host that they ask stands in the address, not in a header.
pub(crate) fn same_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    let host = headers.get(axum::http::header::HOST).and_then(|host| host.to_str().ok());
    let host = host.or(uri.authority().map(|authority| authority.as_str()));
    match headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or("")) {
        None => true,
        Some(origin) => origin.split_once("://").is_some_and(|(_, rest)| Some(rest) == host),
    }
}

fn equal(a: &str, b: &str) -> bool {
    use subtle::ConstantTimeEq;
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_origin_is_known_over_both_versions_of_http() {
        let asked = |host: Option<&str>, uri: &str, origin: &str| {
            let mut headers = HeaderMap::new();
            if let Some(host) = host {
                headers.insert(axum::http::header::HOST, host.parse().unwrap());
            }
            headers.insert(ORIGIN, origin.parse().unwrap());
            same_origin(&headers, &uri.parse().unwrap())
        };
        assert!(asked(Some("fleet.example:8090"), "/login", "https://fleet.example:8090"));
        assert!(asked(None, "https://fleet.example:8090/login", "https://fleet.example:8090"));
        assert!(!asked(Some("fleet.example"), "/login", "https://evil.example"));
        assert!(!asked(None, "https://fleet.example/login", "https://evil.example"));
        assert!(!asked(None, "/login", "https://fleet.example"));
        assert!(!asked(Some("fleet.example"), "/login", "null"));
    }
}
