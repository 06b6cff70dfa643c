//! The router: one utterance to the engine that the policy wants, or to the one that is there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::cloud_desk::{CloudDesk, Request};
use super::event::Event;
use super::route::{Policy, Reason, Route, RouteRules};
use super::timings::{StageTimings, recognize};
use crate::asr::{EngineId, Recognizer, RecognizerError, Transcript};
use crate::uplink::spend::SpendMeter;
use crate::utterance::Utterance;

/// Longest pause between tries while the cloud cannot be reached.
const MAX_PAUSE: Duration = Duration::from_secs(300);
/// A local engine is given this many times the time it took for its slowest utterance, per second of audio.
const PACE_MARGIN: f64 = 2.0;
/// And this much beyond.
const PACE_FLOOR: Duration = Duration::from_millis(100);

/// An answer and how it came about.
pub(super) struct Routed {
    pub(super) transcript: Transcript,
    pub(super) timings: StageTimings,
    pub(super) engine: EngineId,
    pub(super) route: Route,
    pub(super) reason: Reason,
    /// What the cloud asked for it.
    pub(super) cost: Option<f64>,
    /// The policy wanted the cloud, and the cloud may still answer another time.
    pub(super) wants_cloud: bool,
}

/// Why there is no answer.
pub(super) struct Unanswered {
    pub(super) reason: Reason,
    pub(super) error: Option<RecognizerError>,
}

impl Unanswered {
    /// Whether it is worth keeping for another time.
    pub(super) fn retry_later(&self) -> bool {
        self.error.as_ref().is_none_or(RecognizerError::retry_later)
    }

    /// Whether it was given up at a deadline.
    pub(super) fn timed_out(&self) -> bool {
        self.reason == Reason::Deadline || self.error.as_ref().is_some_and(RecognizerError::is_timeout)
    }

    pub(super) fn words(&self) -> String {
        match (&self.error, self.reason) {
            (Some(error), _) => error.to_string(),
            (None, Reason::NoConsent) => {
                "the policy wants the cloud, but `consent.cloud_audio` is not set in the profile".to_owned()
            }
            (None, Reason::SpendCap) => "today's spend cap is reached".to_owned(),
            (None, Reason::Offline) => "the cloud could not be reached a moment ago".to_owned(),
            (None, _) => "no engine is set up for this policy".to_owned(),
        }
    }
}

pub(super) struct Router<'a> {
    local: Option<&'a mut dyn Recognizer>,
    cloud: Option<CloudDesk>,
    rules: RouteRules,
    spend: SpendMeter,
    /// Slowest local recognition so far, s per s of audio.
    pace: Option<f64>,
    pause: Duration,
    closed_until: Option<Instant>,
}

/// The cloud is given up this part of the budget before its end, so that the local answer is there within it.
const REACTION: f64 = 0.1;

/// What the cloud can be asked now.
type Asked = Result<Request, Reason>;

impl<'a> Router<'a> {
    pub(super) fn new(
        local: Option<&'a mut dyn Recognizer>,
        cloud: Option<CloudDesk>,
        rules: RouteRules,
        spend: SpendMeter,
    ) -> Self {
        let pause = rules.offline_pause;
        Self { local, cloud, rules, spend, pace: None, pause, closed_until: None }
    }

    /// The local engine, for drafts.
    pub(super) fn local(&mut self) -> Option<&mut (dyn Recognizer + 'a)> {
        self.local.as_deref_mut()
    }

    /// Answers `utterance`, of which `ready` may be the local answer already. The budget counts from `since`;
    /// `stop` makes the work be given up.
    pub(super) fn answer(
        &mut self,
        utterance: &Utterance,
        ready: Option<(Transcript, StageTimings)>,
        since: Instant,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Routed, Unanswered> {
        match self.rules.policy {
            Policy::Local => self.here(utterance, ready, (Reason::Policy, false), stop),
            Policy::Cloud => self.there(utterance, stop, tell),
            Policy::LocalThenCloud => self.here_then_there(utterance, ready, since, stop, tell),
            Policy::CloudThenLocal => self.there_then_here(utterance, ready, since, stop, tell),
        }
    }

    /// The cloud's later answer to what waited, unless `stop`.
    pub(super) fn retry(
        &mut self,
        utterance: &Utterance,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Routed, Unanswered> {
        let request = self.ask(utterance, tell).map_err(|reason| Unanswered { reason, error: None })?;
        let answer = request.wait_unless(stop);
        drop(request);
        self.of_cloud(answer, utterance, Reason::Retried)
            .map_err(|error| Unanswered { reason: reason_of(&error), error: Some(error) })
    }

    /// Whether this device can answer under the policy.
    pub(super) fn has_local(&self) -> bool {
        self.local.is_some() && self.rules.policy.uses_local()
    }

    /// Who is asked last under the policy.
    pub(super) fn last_resort(&self) -> Route {
        if self.rules.policy.uses_local() { Route::Local } else { Route::Cloud }
    }

    /// What answers there.
    pub(super) fn engine_of(&self, route: Route) -> Option<&EngineId> {
        match route {
            Route::Local => self.local.as_ref().map(|local| local.engine()),
            Route::Cloud => self.cloud.as_ref().map(|cloud| &cloud.engine),
        }
    }

    /// Leaves the cloud alone for a while after it could not answer what waited.
    pub(super) fn rest(&mut self) {
        if self.cloud_is_open() {
            self.closed_until = Some(Instant::now() + self.pause);
            self.pause = self.pause.saturating_mul(2).min(MAX_PAUSE);
        }
    }

    /// Whether the cloud may be asked now.
    pub(super) fn cloud_is_open(&self) -> bool {
        self.cloud.is_some()
            && self.rules.consent
            && self.rules.policy.uses_cloud()
            && self.closed_until.is_none_or(|until| Instant::now() >= until)
    }

    fn here(
        &mut self,
        utterance: &Utterance,
        ready: Option<(Transcript, StageTimings)>,
        (reason, wants_cloud): (Reason, bool),
        stop: &AtomicBool,
    ) -> Result<Routed, Unanswered> {
        let answer = match ready {
            Some(ready) => Ok(ready),
            None => self.recognize_here(utterance, &|| stop.load(Ordering::Relaxed)),
        };
        match (answer, &self.local) {
            (Ok((transcript, timings)), Some(local)) => {
                let engine = local.engine().clone();
                Ok(Routed {
                    transcript,
                    timings,
                    engine,
                    route: Route::Local,
                    reason,
                    cost: None,
                    wants_cloud,
                })
            }
            (Ok(_), None) => Err(Unanswered { reason, error: None }),
            (Err(error), _) => Err(Unanswered { reason, error }),
        }
    }

    /// `Err(None)` where there is no local engine.
    fn recognize_here(
        &mut self,
        utterance: &Utterance,
        cancel: &dyn Fn() -> bool,
    ) -> Result<(Transcript, StageTimings), Option<RecognizerError>> {
        let local = self.local.as_mut().ok_or(None)?;
        let (transcript, timings) = recognize(&mut **local, utterance, cancel).map_err(Some)?;
        let pace = timings.recognize_ms / 1e3 / utterance.seconds().max(0.1);
        self.pace = Some(self.pace.map_or(pace, |slowest| slowest.max(pace)));
        Ok((transcript, timings))
    }

    fn there(
        &mut self,
        utterance: &Utterance,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Routed, Unanswered> {
        let request = self.ask(utterance, tell).map_err(|reason| Unanswered { reason, error: None })?;
        // The cloud recognizer has a deadline of its own.
        let answer = request.wait_unless(stop);
        self.of_cloud(answer, utterance, Reason::Policy)
            .map_err(|error| Unanswered { reason: reason_of(&error), error: Some(error) })
    }

    fn here_then_there(
        &mut self,
        utterance: &Utterance,
        ready: Option<(Transcript, StageTimings)>,
        since: Instant,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Routed, Unanswered> {
        let local = self.here(utterance, ready, (Reason::Policy, false), stop);
        // Given up: then nobody else is asked, either.
        if stop.load(Ordering::Relaxed) {
            return local;
        }
        let reason = match &local {
            // Silence has no confidence, and is nobody else's to hear.
            Ok(routed) => match routed.transcript.confidence() {
                Some(confidence) if confidence < self.rules.min_confidence => Reason::LowConfidence,
                _ => return local,
            },
            Err(_) => Reason::LocalFailed,
        };
        let why_not = match self.ask(utterance, tell) {
            Ok(request) => match request.wait_until(self.end_of(since), stop) {
                Some(answer) => match self.of_cloud(answer, utterance, reason) {
                    Ok(routed) => return Ok(routed),
                    Err(error) => (reason_of(&error), error.retry_later()),
                },
                None => (Reason::Deadline, true),
            },
            Err(why_not) => (why_not, may_change(why_not)),
        };
        let (reason, wants_cloud) = why_not;
        local.map(|routed| Routed { reason, wants_cloud, ..routed })
    }

    fn there_then_here(
        &mut self,
        utterance: &Utterance,
        ready: Option<(Transcript, StageTimings)>,
        since: Instant,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Routed, Unanswered> {
        let request = match self.ask(utterance, tell) {
            Ok(request) => request,
            Err(reason) => return self.here(utterance, ready, (reason, may_change(reason)), stop),
        };
        let end = self.end_of(since);
        // The local engine begins when it must, and at once as long as its pace is not known.
        let begin = match (&ready, self.pace) {
            (Some(_), _) => end,
            (None, None) => since,
            (None, Some(pace)) => {
                let needs = Duration::from_secs_f64(pace * PACE_MARGIN * utterance.seconds()) + PACE_FLOOR;
                since + (end - since).saturating_sub(needs)
            }
        };
        let mut answer = request.wait_until(begin, stop);
        let mut here = ready;
        if answer.is_none() && here.is_none() {
            let useless = || request.answered.load(Ordering::Relaxed) || stop.load(Ordering::Relaxed);
            here = match self.recognize_here(utterance, &useless) {
                Ok(here) => Some(here),
                // The cloud was faster, or nobody waits any more.
                Err(Some(RecognizerError::Cancelled)) => None,
                Err(error) => {
                    tracing::warn!(error = error.map(|e| e.to_string()), "no local answer to fall back on");
                    None
                }
            };
            answer = request.wait_until(end, stop);
        }
        let (reason, wants_cloud) = match answer {
            Some(answer) => match self.of_cloud(answer, utterance, Reason::Policy) {
                Ok(routed) => return Ok(routed),
                Err(error) => (reason_of(&error), error.retry_later()),
            },
            None => (Reason::Deadline, true),
        };
        drop(request);
        self.here(utterance, here, (reason, wants_cloud), stop)
    }

    /// When the cloud is waited for no more.
    fn end_of(&self, since: Instant) -> Instant {
        since + self.rules.budget.mul_f64(1.0 - REACTION)
    }

    /// Hands a request in and tells of it, if it may be made.
    fn ask(&mut self, utterance: &Utterance, tell: &mut dyn FnMut(Event)) -> Asked {
        if !self.rules.consent {
            return Err(Reason::NoConsent);
        }
        let Some(cloud) = &self.cloud else { return Err(Reason::NoCloud) };
        if !self.cloud_is_open() {
            return Err(Reason::Offline);
        }
        let seconds = utterance.seconds();
        if !self.spend.allows(seconds) {
            return Err(Reason::SpendCap);
        }
        self.spend.count(seconds);
        let host = cloud.host.clone();
        let cost = self.spend.cost(seconds);
        tell(Event::Hop { utterance: Some(utterance.index), id: None, host, seconds, cost });
        Ok(cloud.ask(utterance))
    }

    fn of_cloud(
        &mut self,
        answer: Result<(Transcript, StageTimings), RecognizerError>,
        utterance: &Utterance,
        reason: Reason,
    ) -> Result<Routed, RecognizerError> {
        let seconds = utterance.seconds();
        match answer {
            Ok((transcript, timings)) => {
                self.pause = self.rules.offline_pause;
                let engine = self.cloud.as_ref().map(|cloud| cloud.engine.clone());
                let engine = engine.unwrap_or_else(|| EngineId::new("cloud", "", ""));
                let cost = (self.rules.cost_per_minute > 0.0).then(|| self.spend.cost(seconds));
                Ok(Routed {
                    transcript,
                    timings,
                    engine,
                    route: Route::Cloud,
                    reason,
                    cost,
                    wants_cloud: false,
                })
            }
            Err(error) => {
                if error.is_offline() {
                    // Nothing was sent.
                    self.spend.refund(seconds);
                }
                self.close_for_a_while(&error);
                Err(error)
            }
        }
    }

    /// Nobody waits again and again for what cannot be reached.
    fn close_for_a_while(&mut self, error: &RecognizerError) {
        let pause = match error.retry_after() {
            Some(wanted) => wanted,
            None if error.is_offline() => {
                let pause = self.pause;
                self.pause = self.pause.saturating_mul(2).min(MAX_PAUSE);
                pause
            }
            None => return,
        };
        self.closed_until = Some(Instant::now() + pause);
        tracing::info!(%error, ?pause, "the cloud is left alone");
    }
}

fn reason_of(error: &RecognizerError) -> Reason {
    if error.is_offline() { Reason::Offline } else { Reason::CloudError }
}

/// Whether the cloud may be asked another time although it may not now.
fn may_change(reason: Reason) -> bool {
    matches!(reason, Reason::Offline | Reason::SpendCap | Reason::Deadline)
}
