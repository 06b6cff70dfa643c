//! `/adjudicate`: one pair at a time, blind.

use axum::extract::State;
use axum::http::StatusCode;
use earwitness_scoring::{BasicNormalizer, EnglishNormalizer, Normalizer, score};
use serde::Deserialize;

use super::session::Signed;
use super::{Page, PageError, Visitor, clip_href, go_to, page};
use crate::api::{App, Shared};
use crate::pages::{AdjudicatePage, AdjudicationItem, Choice, Progress, Section};
use crate::store::{Candidate, Judgement, Role};

#[derive(Deserialize)]
pub(super) struct Answer {
    item_id: String,
    order: String,
    #[serde(default)]
    choice: String,
    #[serde(default)]
    reference: String,
    action: String,
}

/// `device utterance engine`: ids have no space in them.
fn item_id(candidate: &Candidate) -> String {
    format!("{} {} {}", candidate.device_id, candidate.utterance_id, candidate.key.shadow_engine)
}

/// Which text is A. Drawn for each pair by the server's key, so that it stays the same when the page is loaded again and
/// nobody can know it.
fn primary_is_a(app: &App, candidate: &Candidate) -> bool {
    app.store.coin("order of texts", &item_id(candidate))
}

pub(super) async fn show(State(app): State<Shared>, visitor: Visitor) -> Page {
    visitor.must_be(Role::Labeller)?;
    let (next, done, total) = app.store.next_candidate(&app.settings.sampling).await?;
    let mut progress = None;
    let mut item = None;
    if let Some(candidate) = next {
        let texts = app.store.texts(&candidate.device_id, &candidate.utterance_id).await?;
        let (primary, shadow) = (texts.primary.unwrap_or_default(), texts.shadow.unwrap_or_default());
        let (text_a, text_b) = match primary_is_a(&app, &candidate) {
            true => (primary, shadow),
            false => (shadow, primary),
        };
        progress = Some(Progress {
            done,
            total,
            inclusion_probability: app.settings.sampling.inclusion_probability(candidate.edits_between),
        });
        item = Some(AdjudicationItem {
            item_id: item_id(&candidate),
            order: "blind".to_owned(),
            clip_href: candidate.has_clip.then(|| clip_href(&candidate.device_id, &candidate.utterance_id)),
            duration_ms: candidate.duration_ms,
            language: Some(candidate.language.clone()).filter(|code| !code.is_empty()),
            text_a,
            text_b,
        });
    }
    page(&AdjudicatePage {
        shell: visitor.shell(Section::Adjudicate),
        item,
        progress,
        judged_by_you: app.store.judged_by(&visitor.person.name).await?,
    })
}

pub(super) async fn judge(State(app): State<Shared>, signed: Signed<Answer>) -> Page {
    let Signed { visitor, form } = signed;
    visitor.must_be(Role::Labeller)?;
    if form.order != "blind" {
        return Err(PageError::bad("The form is of another page."));
    }
    let mut parts = form.item_id.splitn(3, ' ');
    let (Some(device), Some(utterance), Some(engine)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(PageError::bad("The form names no pair."));
    };
    let Some(candidate) = app.store.candidate(device, utterance, engine).await? else {
        return Err(PageError::not_found());
    };
    let choice = match form.action.as_str() {
        "skip" => None,
        "submit" => {
            Some(Choice::from_key(&form.choice).ok_or_else(|| PageError::bad("Choose one of the five."))?)
        }
        _ => return Err(PageError::status(StatusCode::BAD_REQUEST)),
    };
    let judgement = judgement(&app, &candidate, choice, form.reference.trim()).await?;
    app.store.judge(&candidate, &visitor.person.name, &judgement).await?;
    go_to("/adjudicate")
}

/// The choice without its blindfold, scored against what was said: as it was written, else the text that is right.
async fn judgement(
    app: &App,
    candidate: &Candidate,
    choice: Option<Choice>,
    written: &str,
) -> Result<Judgement, PageError> {
    let texts = app.store.texts(&candidate.device_id, &candidate.utterance_id).await?;
    let (primary, shadow) = (texts.primary.unwrap_or_default(), texts.shadow.unwrap_or_default());
    let primary_is_a = primary_is_a(app, candidate);
    let name = match (choice, primary_is_a) {
        (None, _) => "skip",
        (Some(Choice::A), true) | (Some(Choice::B), false) => "primary",
        (Some(Choice::A), false) | (Some(Choice::B), true) => "shadow",
        (Some(Choice::Both), _) => "both",
        (Some(Choice::Neither), _) => "neither",
        (Some(Choice::Unsure), _) => "unsure",
    };
    let reference = match name {
        "skip" | "unsure" => None,
        _ if !written.is_empty() => Some(written.to_owned()),
        "primary" | "both" => Some(primary.clone()),
        "shadow" => Some(shadow.clone()),
        _ => None,
    };
    let normalizer: &dyn Normalizer = match candidate.language.as_str() {
        "en" | "" => &EnglishNormalizer,
        _ => &BasicNormalizer::default(),
    };
    let against = |text: &str| reference.as_deref().map(|reference| score(normalizer, reference, text));
    let (of_primary, of_shadow) = (against(&primary), against(&shadow));
    Ok(Judgement {
        choice: name,
        reference_words: of_primary.map(|counts| counts.reference_words),
        primary_edits: of_primary.map(|counts| counts.errors()),
        shadow_edits: of_shadow.map(|counts| counts.errors()),
        reference,
        inclusion_probability: app.settings.sampling.inclusion_probability(candidate.edits_between),
    })
}
