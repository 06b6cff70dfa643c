//! How often somebody may ask: a device or person by name, an address that failed to say who it is.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::http::request::Parts;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::ApiError;
use crate::settings::RequestLimits;

/// The limiters. Those of many servers do not know each other: each allows its share.
pub(crate) struct Limits {
    asked: DefaultKeyedRateLimiter<String>,
    failed: DefaultKeyedRateLimiter<IpAddr>,
    /// Addresses that failed too often, and until when they wait.
    blocked: Mutex<HashMap<IpAddr, Instant>>,
    clock: DefaultClock,
}

/// How long an address waits that failed too often.
const BLOCKED_FOR: Duration = Duration::from_secs(60);

impl Limits {
    pub(crate) fn new(limits: &RequestLimits) -> Self {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let asked =
            Quota::per_second(at_least_one(limits.requests_per_s)).allow_burst(at_least_one(limits.burst));
        let failed = Quota::per_minute(at_least_one(limits.refusals_per_minute));
        Self {
            asked: RateLimiter::keyed(asked),
            failed: RateLimiter::keyed(failed),
            blocked: Mutex::default(),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request of somebody known.
    pub(crate) fn may_ask(&self, name: &String) -> Result<(), ApiError> {
        self.asked.check_key(name).map_err(|until| {
            let wait = until.wait_time_from(self.clock.now());
            too_many(wait.as_secs() + 1)
        })
    }

    /// Counts a failure. After too many an address is told for a minute to wait, whatever it tries; who says rightly who
    /// they are is heard all the same: behind a proxy everybody has one address. Secrets are too long to be guessed; this
    /// keeps the noise down.
    pub(crate) fn refused(&self, address: IpAddr) -> Result<(), ApiError> {
        if self.failed.check_key(&address).is_err() {
            self.blocked().insert(address, Instant::now() + BLOCKED_FOR);
        }
        match self.blocked().get(&address) {
            Some(until) if *until > Instant::now() => Err(too_many(BLOCKED_FOR.as_secs())),
            _ => Ok(()),
        }
    }

    fn blocked(&self) -> MutexGuard<'_, HashMap<IpAddr, Instant>> {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets those who have not asked for a while.
    pub(crate) fn tidy(&self) {
        self.asked.retain_recent();
        self.failed.retain_recent();
        let now = Instant::now();
        self.blocked().retain(|_, until| *until > now);
    }
}

fn too_many(seconds: u64) -> ApiError {
    ApiError::busy(StatusCode::TOO_MANY_REQUESTS, "too many requests: slow down", seconds)
}

/// Whence a request comes; loopback where the server does not know, as in tests without a socket.
pub(crate) fn address_of(parts: &Parts) -> IpAddr {
    let known = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    known.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(address)| address.ip())
}
