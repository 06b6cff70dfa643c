//! Where the collection server is, and how it is treated.

use std::fmt;
use std::time::Duration;

use reqwest::Url;

use super::CollectorError;
use crate::web::{self, ApiKey};

/// Where and how records are sent.
#[derive(Clone)]
pub struct CollectorSettings {
    /// Base address: `https://collect.example.org`, `http://127.0.0.1:8090`.
    pub url: Url,
    /// The device's token, from [`enroll`](super::enroll).
    pub token: ApiKey,
    /// Whether token and records may travel where others can read them. Off: `http` is for this machine only.
    pub allow_unencrypted: bool,
    /// Between looks at the journal. 60 s: a dashboard that is a minute behind, at 1440 requests a day.
    pub interval: Duration,
    /// For one connection. 10 s: three round trips on the worst mobile link, five times over.
    pub connect_timeout: Duration,
    /// For one request. 120 s: a batch of 150 kB on 40 kbit/s takes 30 s.
    pub deadline: Duration,
    /// Bound of the first pause after a failure; it doubles, and each pause is drawn at random below its bound, so that a
    /// fleet does not come back at once.
    pub backoff_initial: Duration,
    /// Largest bound. 15 minutes.
    pub backoff_max: Duration,
    /// On a metered network nothing is sent until the journal is at four fifths of its cap; then records are sent down to
    /// there, because the oldest would be lost otherwise. Clips wait in any case. Off: a day of a busy device is 150 kB.
    pub wait_if_metered: bool,
}

impl CollectorSettings {
    /// Settings with the defaults.
    ///
    /// # Errors
    /// [`CollectorError::Setup`] if `url` is no address.
    pub fn new(url: &str, token: ApiKey) -> Result<Self, CollectorError> {
        Ok(Self {
            url: address(url)?,
            token,
            allow_unencrypted: false,
            interval: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            deadline: Duration::from_secs(120),
            backoff_initial: Duration::from_secs(1),
            backoff_max: Duration::from_secs(15 * 60),
            wait_if_metered: false,
        })
    }

    /// The host with its port, for messages and events.
    pub fn host(&self) -> String {
        web::host(&self.url)
    }

    /// # Errors
    /// [`CollectorError::Setup`]: the token would travel unencrypted, or the address is of no use.
    pub fn check(&self) -> Result<(), CollectorError> {
        check(&self.url, self.allow_unencrypted)
    }
}

pub(super) fn address(url: &str) -> Result<Url, CollectorError> {
    Url::parse(url).map_err(|e| CollectorError::Setup(format!("`{url}` is no address: {e}")))
}

pub(super) fn check(url: &Url, allow_unencrypted: bool) -> Result<(), CollectorError> {
    web::check_address(url).map_err(CollectorError::Setup)?;
    if web::is_unencrypted(url) && !allow_unencrypted {
        let host = web::host(url);
        return Err(CollectorError::Setup(format!("a token is not sent to {host} unencrypted: use https")));
    }
    Ok(())
}

/// Shows where, never the token.
impl fmt::Debug for CollectorSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CollectorSettings")
            .field("host", &self.host())
            .field("interval", &self.interval)
            .field("wait_if_metered", &self.wait_if_metered)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_travels_encrypted_or_stays_on_this_machine() {
        let token = || ApiKey::new("secret-token").unwrap();
        for (url, fits) in [
            ("https://collect.example.org", true),
            ("http://127.0.0.1:8090", true),
            ("http://localhost:8090/base", true),
            ("http://[::1]", true),
            ("http://192.168.1.5:8090", false),
            ("http://localhost.example.org", false),
            ("https://me:pass@collect.example.org", false),
            ("ftp://collect.example.org", false),
        ] {
            let mut settings = CollectorSettings::new(url, token()).unwrap();
            assert_eq!(settings.check().is_ok(), fits, "{url}");
            assert!(!format!("{settings:?}").contains("secret"));
            settings.allow_unencrypted = true;
            assert_eq!(settings.check().is_ok(), fits || url.starts_with("http:"), "{url}");
        }
        assert!(CollectorSettings::new("no address", token()).is_err());
    }
}
