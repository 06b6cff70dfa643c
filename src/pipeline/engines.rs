//! What may answer, and where utterances are kept meanwhile.

use std::sync::atomic::AtomicBool;

use super::StopSignal;
use super::backlog::{Backlog, Step};
use super::cloud_desk::{CloudDesk, CloudThread, open_desk};
use super::event::Event;
use super::route::RouteRules;
use super::router::Router;
use super::shadow::ShadowRules;
use crate::asr::Recognizer;
use crate::uplink::spend::SpendMeter;
use crate::uplink::spool::Spool;

/// A cloud speech API and where it is.
pub struct CloudEngine<'a> {
    /// Asks it; see [`crate::asr`].
    pub recognizer: &'a mut dyn Recognizer,
    /// Its host, for [`Event::Hop`].
    pub host: String,
}

impl<'a> CloudEngine<'a> {
    pub(super) fn open(self) -> (CloudDesk, CloudThread<'a>) {
        open_desk(self.recognizer, &self.host)
    }
}

/// A second recognizer that is compared and never believed.
pub struct ShadowEngine<'a> {
    /// Hears the same samples later.
    pub recognizer: &'a mut dyn Recognizer,
    /// Which of them.
    pub rules: ShadowRules,
}

/// All that may answer an utterance.
pub struct Engines<'a> {
    /// On this device.
    pub local: Option<&'a mut dyn Recognizer>,
    /// Elsewhere.
    pub cloud: Option<CloudEngine<'a>>,
    /// Who is asked when.
    pub rules: RouteRules,
    /// What the cloud costs.
    pub spend: SpendMeter,
    /// Where utterances are kept until they are answered.
    pub spool: Option<&'a Spool>,
    /// Who listens along.
    pub shadow: Option<ShadowEngine<'a>>,
}

impl<'a> Engines<'a> {
    /// This device alone.
    pub fn local(recognizer: &'a mut dyn Recognizer) -> Self {
        Self {
            local: Some(recognizer),
            cloud: None,
            rules: RouteRules::default(),
            spend: SpendMeter::new(0.0, None),
            spool: None,
            shadow: None,
        }
    }
}

/// Answers what waits in the engines' spool, once each, until `stop`; returns how many are left without an answer.
pub fn retry_spooled(engines: Engines<'_>, stop: &StopSignal, on_event: &mut dyn FnMut(Event)) -> usize {
    let Some(spool) = engines.spool else { return 0 };
    let (desk, thread) = engines.cloud.map(CloudEngine::open).unzip();
    std::thread::scope(|scope| {
        let cloud = thread.map(|thread| scope.spawn(move || thread.run()));
        let mut router = Router::new(engines.local, desk, engines.rules, engines.spend);
        let mut backlog = Backlog::new(spool, false);
        let never = AtomicBool::new(false);
        while !stop.is_stopped() {
            if backlog.step(&mut router, &never, on_event) != Step::Done {
                break;
            }
        }
        drop(router);
        cloud.map(super::joined);
        backlog.waiting()
    })
}
