//! `/shadow`: pairs of recognizers, for whom the shadow is better, and where the two differ.

use axum::extract::State;
use earwitness_scoring::fleet::{Doubt, NoInterval, RatioInterval};
use earwitness_scoring::{BasicNormalizer, EnglishNormalizer, Normalizer, diff_texts};
use serde::Deserialize;

use super::{Asked, Page, PageError, Visitor, chosen, clip_href, page, pager, unix};
use crate::api::{App, Shared};
use crate::compare::{Comparison, compare};
use crate::pages::{
    DisagreementRow, Estimate, Filter, FilterBar, PairDetail, PairSummary, Section, ShadowPage, SliceGroup,
    SliceRow, TimeRange, Verdict, WerComparison,
};
use crate::store::{Pair, PairFilter, PairKey, Role, SliceBy, now_ms};

const PAGE_SIZE: usize = 20;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ShadowQuery {
    range: Option<String>,
    device: Option<String>,
    profile: Option<String>,
    version: Option<String>,
    primary: Option<String>,
    shadow: Option<String>,
    page: usize,
}

fn estimate(interval: &Result<RatioInterval, NoInterval>, rate: Option<f64>) -> Option<Estimate> {
    match interval {
        Ok(i) => Some(Estimate { value: i.estimate, low: i.low, high: i.high }),
        // A rate without an interval: its bounds are not known.
        Err(_) => rate.map(|value| Estimate { value, low: f64::NAN, high: f64::NAN }),
    }
}

fn verdict(comparison: &Comparison) -> Verdict {
    use earwitness_scoring::fleet::Verdict as Found;
    match comparison.references.assessment.verdict {
        Found::Better => Verdict::Better,
        Found::NotWorse { .. } => Verdict::NotWorse,
        Found::Worse => Verdict::Worse,
        Found::Inconclusive { .. } => Verdict::Inconclusive,
    }
}

/// What would decide, in words.
fn missing(comparison: &Comparison) -> Option<String> {
    use earwitness_scoring::fleet::Verdict as Found;
    let references = &comparison.references;
    match references.assessment.verdict {
        _ if references.utterances == 0 => {
            Some("references: judge disagreements under Adjudicate".to_owned())
        }
        Found::Inconclusive { doubt: Doubt::TooWide { more: Some(more) } } => {
            Some(format!("about {} more references, from {} more devices", more.references, more.devices))
        }
        Found::Inconclusive { doubt: Doubt::TooWide { more: None } } => {
            Some("nothing: the difference is too close to the limit for any amount of references".to_owned())
        }
        Found::Inconclusive { doubt: Doubt::NoInterval { reason } } => Some(reason.to_string()),
        _ => None,
    }
}

fn wer(comparison: &Comparison, margin: f64) -> WerComparison {
    let references = &comparison.references;
    let interval = references.assessment.interval;
    WerComparison {
        utterances: references.utterances,
        devices: references.devices,
        reference_words: references.words,
        primary_wer: references.primary_wer,
        shadow_wer: references.shadow_wer,
        difference: interval.map(|i| Estimate { value: i.estimate, low: i.low, high: i.high }),
        margin,
        verdict: verdict(comparison),
        missing: missing(comparison),
    }
}

fn slice(comparison: &Comparison) -> SliceRow {
    let interval = comparison.references.assessment.interval;
    SliceRow {
        name: Some(comparison.name.clone()).filter(|name| !name.is_empty()).unwrap_or("unknown".to_owned()),
        utterances: comparison.utterances,
        devices: comparison.devices,
        disagreement: estimate(&comparison.disagreement, comparison.disagreement_rate),
        wer_difference: interval.map(|i| Estimate { value: i.estimate, low: i.low, high: i.high }),
        verdict: verdict(comparison),
    }
}

async fn detail(
    app: &App,
    key: &PairKey,
    filter: &PairFilter,
    whole: &Comparison,
) -> Result<PairDetail, PageError> {
    let margin = app.settings.margin;
    let (primary_p50_ms, shadow_p50_ms) = app.store.median_times(key, filter).await?;
    let mut slices = Vec::new();
    for by in SliceBy::ALL {
        let rows = compare(&app.store, key, filter, by, &app.settings.sampling, margin).await?;
        // One value tells nothing that the whole does not.
        if rows.len() > 1 {
            slices.push(SliceGroup {
                dimension: by.title().to_owned(),
                rows: rows.iter().map(slice).collect(),
            });
        }
    }
    let per_1000 = |sum: f64| (sum > 0.0).then(|| sum * 1000.0 / whole.utterances.max(1) as f64);
    Ok(PairDetail {
        primary_engine: key.primary_engine.clone(),
        shadow_engine: key.shadow_engine.clone(),
        utterances: whole.utterances,
        devices: whole.devices,
        disagreement: estimate(&whole.disagreement, whole.disagreement_rate),
        no_interval: whole.disagreement.as_ref().err().map(ToString::to_string),
        primary_p50_ms,
        shadow_p50_ms,
        latency_difference_ms: estimate(&whole.latency, None),
        primary_cost_per_1000: per_1000(whole.primary_cost),
        shadow_cost_per_1000: per_1000(whole.shadow_cost),
        outcomes: app.store.outcome_counts(key, filter).await?,
        wer: wer(whole, app.settings.margin.share()),
        slices,
    })
}

/// One disagreement; its texts for those who may read them.
pub(super) async fn disagreement(app: &App, pair: &Pair, reads: bool) -> Result<DisagreementRow, PageError> {
    let texts = match reads {
        true => app.store.texts(&pair.device_id, &pair.utterance_id).await?,
        false => crate::store::Texts::default(),
    };
    let normalizer: &dyn Normalizer = match pair.language.as_str() {
        "en" | "" => &EnglishNormalizer,
        _ => &BasicNormalizer::default(),
    };
    let words = texts.primary.zip(texts.shadow).map(|(a, b)| diff_texts(normalizer, None, &a, &b));
    Ok(DisagreementRow {
        utterance_id: pair.utterance_id.clone(),
        device_id: pair.device_id.clone(),
        recorded_unix_ms: unix(pair.recorded_ms),
        edits: pair.edits as u64,
        longer_words: pair.longer_words as u64,
        primary_outcome: pair.primary_outcome.replace('_', " "),
        shadow_outcome: pair.shadow_outcome.replace('_', " "),
        language: Some(pair.language.clone()).filter(|code| !code.is_empty()),
        snr_db: pair.snr_db,
        words,
        clip_href: (reads && pair.has_clip).then(|| clip_href(&pair.device_id, &pair.utterance_id)),
    })
}

pub(super) async fn show(
    State(app): State<Shared>,
    visitor: Visitor,
    Asked(query): Asked<ShadowQuery>,
) -> Page {
    let range = query.range.as_deref().and_then(TimeRange::from_key).unwrap_or(TimeRange::Month);
    let from_ms = now_ms() - range.span_ms() as i64;
    let filter = PairFilter {
        from_ms,
        device_id: chosen(&query.device),
        profile: chosen(&query.profile),
        app_version: chosen(&query.version),
    };
    let keys = app.store.pair_keys(&filter).await?;
    let wanted = keys.iter().find(|key| {
        query.primary.as_deref() == Some(key.primary_engine.as_str())
            && query.shadow.as_deref() == Some(key.shadow_engine.as_str())
    });
    let chosen_key = wanted.or(keys.first()).cloned();
    let offered = app.store.offered(from_ms).await?;
    let devices = app.store.devices().await?.into_iter().map(|device| device.device_id).collect();
    let filters = FilterBar {
        action: "/shadow".to_owned(),
        range: Some(range),
        filters: vec![
            Filter::new("device", "Device", devices, query.device.clone()),
            Filter::new("profile", "Profile", offered.profiles, query.profile.clone()),
            Filter::new("version", "Version", offered.versions, query.version.clone()),
        ],
        kept: [("primary", &query.primary), ("shadow", &query.shadow)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, chosen(value)?)))
            .collect(),
    };
    let (mut pairs, mut shown) = (Vec::new(), None);
    for key in &keys {
        let whole =
            compare(&app.store, key, &filter, SliceBy::Nothing, &app.settings.sampling, app.settings.margin)
                .await?;
        let Some(whole) = whole.into_iter().next() else { continue };
        let is_chosen = Some(key) == chosen_key.as_ref();
        pairs.push(PairSummary {
            primary_engine: key.primary_engine.clone(),
            shadow_engine: key.shadow_engine.clone(),
            href: filters.href_with(&[("primary", &key.primary_engine), ("shadow", &key.shadow_engine)]),
            chosen: is_chosen,
            utterances: whole.utterances,
            devices: whole.devices,
            disagreement: estimate(&whole.disagreement, whole.disagreement_rate),
            verdict: verdict(&whole),
        });
        if is_chosen {
            shown = Some(detail(&app, key, &filter, &whole).await?);
        }
    }
    let reads = visitor.person.role >= Role::Labeller;
    let (mut disagreements, mut total) = (Vec::new(), 0);
    if let Some(key) = &chosen_key {
        let (rows, count) =
            app.store.disagreements(key, &filter, (query.page * PAGE_SIZE, PAGE_SIZE)).await?;
        total = count;
        for pair in &rows {
            disagreements.push(disagreement(&app, pair, reads).await?);
        }
    }
    let more = ((query.page + 1) * PAGE_SIZE) as u64 <= total.saturating_sub(1);
    page(&ShadowPage {
        shell: visitor.shell(Section::Shadow),
        pager: pager(&filters, query.page, PAGE_SIZE, disagreements.len(), Some(total), more),
        filters,
        pairs,
        detail: shown,
        disagreements,
    })
}
