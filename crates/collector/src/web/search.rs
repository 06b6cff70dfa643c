//! `/search`: words in the transcripts that people consented to.

use axum::extract::State;
use serde::Deserialize;

use super::{Asked, Page, Visitor, chosen, clip_href, page, pager, unix};
use crate::api::Shared;
use crate::pages::{Filter, FilterBar, Hit, SearchPage, Section, TimeRange, highlight};
use crate::store::{FoundText, Role, now_ms};

const PAGE_SIZE: usize = 20;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SearchQuery {
    q: String,
    range: Option<String>,
    device: Option<String>,
    page: usize,
}

/// One hit for each of the utterance's texts that has a word of the query.
fn hits(found: &FoundText, terms: &[&str]) -> Vec<Hit> {
    let texts = [
        ("primary", &found.texts.primary),
        ("shadow", &found.texts.shadow),
        ("corrected by the user", &found.texts.corrected),
    ];
    let all = texts.into_iter().filter_map(|(who, text)| Some((who, highlight(text.as_ref()?, terms))));
    let matching = all.filter(|(_, fragments)| fragments.iter().any(|fragment| fragment.matched));
    let hit = |(who, fragments): (&str, Vec<crate::pages::Fragment>)| Hit {
        utterance_id: found.utterance_id.clone(),
        device_id: found.device_id.clone(),
        recorded_unix_ms: unix(found.recorded_ms),
        engine: who.to_owned(),
        language: None,
        fragments,
        clip_href: found.has_clip.then(|| clip_href(&found.device_id, &found.utterance_id)),
    };
    matching.take(1).map(hit).collect()
}

pub(super) async fn show(
    State(app): State<Shared>,
    visitor: Visitor,
    Asked(query): Asked<SearchQuery>,
) -> Page {
    // Texts are for those who work with them.
    visitor.must_be(Role::Labeller)?;
    let range = query.range.as_deref().and_then(TimeRange::from_key).unwrap_or(TimeRange::Month);
    let device = chosen(&query.device);
    let from_ms = now_ms() - range.span_ms() as i64;
    let devices = app.store.devices().await?.into_iter().map(|device| device.device_id).collect();
    let filters = FilterBar {
        action: "/search".to_owned(),
        range: Some(range),
        filters: vec![Filter::new("device", "Device", devices, query.device.clone())],
        kept: vec![("q", query.q.clone())],
    };
    let wanted: String = query.q.chars().take(200).collect();
    let (found, more) =
        app.store.search(&wanted, device.as_deref(), from_ms, (query.page * PAGE_SIZE, PAGE_SIZE)).await?;
    if !wanted.is_empty() {
        // That somebody searched, not for what.
        app.store.note(&visitor.person.name, "search texts", "").await?;
    }
    let terms: Vec<&str> = wanted.split_whitespace().collect();
    let hits: Vec<Hit> = found.iter().flat_map(|found| hits(found, &terms)).collect();
    page(&SearchPage {
        shell: visitor.shell(Section::Search),
        pager: pager(&filters, query.page, PAGE_SIZE, hits.len(), None, more),
        query: wanted,
        filters,
        hits,
        searchable: app.store.consented_totals().await?.texts,
    })
}
