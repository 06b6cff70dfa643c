//! Actions and feedback of `listen`.

use std::io::BufRead;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use earwitness::actions::{ActionOutcome, ActionTarget, Actions, Feedback, FeedbackCounts};
use earwitness::config::Profile;
use earwitness::pipeline::{Event, UtteranceResult};
use earwitness::recorder::FeedbackDesk;
use serde_json::json;

use super::exit::{self, CliError, Exit};

/// Flags that hand transcripts on and take verdicts back.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct ActArgs {
    /// Hand each final text on to a web service: POST of JSON; its `results` are shown. May be given more than once.
    #[arg(long, value_name = "URL")]
    action: Vec<String>,
    /// Hand each final text on to a program: JSON on its stdin; its `results` are shown. May be given more than once.
    #[arg(long, value_name = "PROGRAM")]
    exec: Vec<String>,
    /// Read what the user made of the texts from stdin, a line each: `3 accepted`, `3 edited`, `3 redo`,
    /// `3 switched-input`, `3 result-clicked`, `3 abandoned`; `3 edited` may be followed by the new text.
    #[arg(long)]
    feedback: bool,
    /// Take the same as the body of `POST /feedback` on this address of this machine.
    #[arg(long, value_name = "ADDRESS")]
    feedback_listen: Option<SocketAddr>,
}

/// Running actions and open ears for feedback.
pub struct Act {
    actions: Option<Actions>,
    taker: Taker,
}

impl Act {
    /// Starts what the flags ask for.
    pub fn start(args: &ActArgs, profile: &Profile, json: bool, desk: Option<FeedbackDesk>) -> Result<Self> {
        let posts = args.action.iter().cloned().map(ActionTarget::Post);
        let targets: Vec<_> = posts.chain(args.exec.iter().cloned().map(ActionTarget::Exec)).collect();
        for target in targets.iter().filter(|t| t.leaves_device()) {
            if !profile.consent.action_text {
                let message = format!(
                    "`--action` sends text to {}: the profile must say `consent.action_text = true`",
                    target.name()
                );
                return Err(CliError::new(Exit::Config, message).into());
            }
            exit::eprint_line(&format!(
                "Text is sent to {}: --action, consent.action_text = true.",
                target.name()
            ));
        }
        let actions = match targets.is_empty() {
            true => None,
            false => Some(Actions::start(targets, move |outcome| show(&outcome, json))?),
        };
        let act = Self { actions, taker: Taker { counts: Arc::default(), desk, json } };
        if args.feedback {
            let taker = act.taker.clone();
            // It ends with the process: a blocked read of stdin cannot be interrupted.
            std::thread::spawn(move || {
                for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                    match taker.take(&line) {
                        Err(why) if !line.trim().is_empty() => tracing::warn!("{why}"),
                        _ => {}
                    }
                }
            });
        }
        if let Some(address) = args.feedback_listen {
            act.listen(address)?;
        }
        Ok(act)
    }

    #[cfg(feature = "serve")]
    fn listen(&self, address: SocketAddr) -> Result<()> {
        use anyhow::Context as _;
        if !address.ip().is_loopback() {
            let message = "--feedback-listen must be an address of this machine, such as 127.0.0.1:8090";
            return Err(CliError::new(Exit::Usage, message).into());
        }
        let taker = self.taker.clone();
        let take = move |line: &str| taker.take(line);
        let bound = earwitness::server::serve_feedback(address, take)
            .with_context(|| format!("cannot listen on {address}"))?;
        exit::eprint_line(&format!("Feedback is taken on http://{bound}/feedback."));
        Ok(())
    }

    #[cfg(not(feature = "serve"))]
    fn listen(&self, _address: SocketAddr) -> Result<()> {
        Err(CliError::new(Exit::Usage, "this build has no server: build with `--features serve`").into())
    }

    /// Hands a final text on.
    pub fn hear(&self, event: &Event) {
        if let (Some(actions), Event::Final(result)) = (&self.actions, event)
            && !result.text.is_empty()
        {
            actions.hand_on(result.utterance, payload(result));
        }
    }

    /// Waits for the actions that are under way, and tells the totals.
    pub fn finish(self) -> std::io::Result<()> {
        let asked = self.actions.is_some();
        if let Some(actions) = self.actions {
            let skipped = actions.skipped();
            drop(actions);
            if skipped > 0 {
                tracing::warn!("{skipped} texts were not handed on: the actions were too slow");
            }
        }
        let counts = *self.taker.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if self.taker.json && (asked || counts != FeedbackCounts::default()) {
            let mut line = serde_json::to_value(counts)?;
            line["event"] = "feedback_totals".into();
            return super::printer::print_line(&line.to_string());
        }
        Ok(())
    }
}

fn payload(result: &UtteranceResult) -> serde_json::Value {
    json!({
        "utterance": result.utterance, "start": result.start, "end": result.end, "text": result.text,
        "language": result.language, "route": result.route, "confidence": result.confidence, "id": result.id,
    })
}

/// Takes verdicts from wherever they come.
#[derive(Clone)]
struct Taker {
    counts: Arc<Mutex<FeedbackCounts>>,
    /// Where they become records.
    desk: Option<FeedbackDesk>,
    json: bool,
}

impl Taker {
    fn take(&self, line: &str) -> Result<(), String> {
        let feedback = Feedback::parse(line)?;
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).add(feedback.feedback);
        if let Some(desk) = &self.desk {
            desk.take(&feedback);
        }
        if self.json {
            let mut event = serde_json::to_value(&feedback).unwrap_or_default();
            event["event"] = "feedback".into();
            // A closed stdout ends the run elsewhere.
            let _ = super::printer::print_line(&event.to_string());
        }
        Ok(())
    }
}

fn show(outcome: &ActionOutcome, json: bool) {
    if json {
        let mut event = serde_json::to_value(outcome).unwrap_or_default();
        event["event"] = "action".into();
        // A closed stdout ends the run elsewhere.
        let _ = super::printer::print_line(&event.to_string());
        return;
    }
    if let Some(error) = &outcome.error {
        tracing::error!("{}: {error}", outcome.target);
        return;
    }
    if outcome.result_count > 0 {
        exit::eprint_line(&format!("{}: {} results", outcome.target, outcome.result_count));
    }
    for result in outcome.results.iter().take(5) {
        let words = ["title", "text", "name"].iter().find_map(|key| result.get(key)?.as_str());
        if let Some(words) = words.or_else(|| result.as_str()) {
            exit::eprint_line(&format!("  - {words}"));
        }
    }
}
