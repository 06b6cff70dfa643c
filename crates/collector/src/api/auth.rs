//! Who asks: a device by its token, a person by their key.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::limits::address_of;
use super::{ApiError, Shared};

use crate::store::Role;

/// Somebody with a bearer token.
#[derive(Clone, Debug)]
pub(crate) enum Asker {
    Device(String),
    Person { name: String, role: Role },
}

impl Asker {
    /// The device, or a refusal.
    pub(crate) fn device(self) -> Result<String, ApiError> {
        match self {
            Self::Device(id) => Ok(id),
            Self::Person { .. } => {
                Err(ApiError::forbidden("this is for devices, with the token of their enrolment"))
            }
        }
    }

    /// The person's name, if they may do what `role` may.
    pub(crate) fn person(self, role: Role) -> Result<String, ApiError> {
        match self {
            Self::Person { name, role: has } if has >= role => Ok(name),
            Self::Person { .. } => Err(ApiError::forbidden("your role does not include this")),
            Self::Device(_) => Err(ApiError::forbidden("this is for people, with their access key")),
        }
    }
}

/// The token of `Authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && (20..=128).contains(&token.len())).then_some(token)
}

impl FromRequestParts<Shared> for Asker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, ApiError> {
        let asker = match bearer(&parts.headers) {
            Some(token) if token.starts_with("ewk_") => app
                .store
                .person_of_key(token)
                .await?
                .map(|person| Self::Person { name: person.name, role: person.role }),
            Some(token) => app.store.device_of(token).await?.map(Self::Device),
            None => None,
        };
        let Some(asker) = asker else {
            app.metrics.refusals.inc();
            app.limits.refused(address_of(parts))?;
            return Err(ApiError::unauthorized());
        };
        let name = match &asker {
            Self::Device(name) | Self::Person { name, .. } => name,
        };
        app.limits.may_ask(name)?;
        Ok(asker)
    }
}
