//! Who may ask: bearer tokens, and no web page of another origin.

use std::fmt;

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};

use super::error::ApiError;

/// The accepted bearer tokens; none means that everybody on the network may ask.
#[derive(Clone, Default)]
pub struct Tokens(Vec<[u8; 32]>);

impl Tokens {
    /// Accepts each of `tokens`; empty ones are left out.
    pub fn new<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Self {
        let tokens = tokens.into_iter().map(str::trim).filter(|token| !token.is_empty());
        Self(tokens.map(digest).collect())
    }

    /// Whether anybody may ask.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Only digests are compared: the time it takes tells nothing of a token.
    fn accepts(&self, token: &str) -> bool {
        self.0.contains(&digest(token))
    }

    /// # Errors
    /// 401 without a right token; 403 for a page of another origin where there are no tokens, because a browser
    /// would let any page speak to a server on the user's own machine.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
        if self.is_empty() {
            return match text(header::ORIGIN) {
                Some(origin) if !same_host(origin, text(header::HOST)) => Err(ApiError::foreign_origin()),
                _ => Ok(()),
            };
        }
        let bearer = text(header::AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        match bearer {
            Some(token) if self.accepts(token) => Ok(()),
            _ => Err(ApiError::unauthorized()),
        }
    }
}

/// Whether a page of `origin` came from the very host that it asks.
fn same_host(origin: &str, host: Option<&str>) -> bool {
    origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host)
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(tokens: &Tokens, headers: &[(header::HeaderName, &str)]) -> Option<u16> {
        let headers = headers.iter().map(|(n, v)| (n.clone(), v.parse().unwrap())).collect();
        tokens.check(&headers).err().map(|e| e.status.as_u16())
    }

    #[test]
    fn only_a_right_token_is_let_in() {
        let tokens = Tokens::new(["one", " two\n", ""]);
        for (value, refused) in [
            ("Bearer one", None),
            ("bearer two", None),
            ("Bearer three", Some(401)),
            ("Bearer ", Some(401)),
            ("Basic one", Some(401)),
            ("one", Some(401)),
        ] {
            assert_eq!(status(&tokens, &[(header::AUTHORIZATION, value)]), refused, "{value}");
        }
        assert_eq!(status(&tokens, &[]), Some(401));
        assert!(!format!("{tokens:?}").contains("one"));
    }

    #[test]
    fn a_page_of_another_origin_is_kept_out_where_there_are_no_tokens() {
        let open = Tokens::default();
        assert_eq!(status(&open, &[]), None, "programs send no origin");
        let host = (header::HOST, "127.0.0.1:8080");
        assert_eq!(status(&open, &[host.clone(), (header::ORIGIN, "http://127.0.0.1:8080")]), None);
        for origin in ["https://evil.example", "null", "http://127.0.0.1:9999"] {
            assert_eq!(status(&open, &[host.clone(), (header::ORIGIN, origin)]), Some(403), "{origin}");
        }
    }
}
