//! `/privacy`: what is collected and kept, and how it goes away.

use axum::extract::{Path, State};
use serde::Deserialize;

use super::session::Signed;
use super::{Asked, Page, PageError, Visitor, page, pager, unix};
use crate::api::Shared;
use crate::pages::{
    AuditRow, ConsentedCounts, FilterBar, PrivacyPage, Receipt, ReceiptPage, RetentionRow, Section,
};
use crate::store::{self, EraseScope, Role};

const PAGE_SIZE: usize = 50;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct PrivacyQuery {
    page: usize,
}

fn receipt_view(receipt: &store::Receipt) -> Receipt {
    Receipt {
        receipt_id: receipt.receipt_id.clone(),
        scope: receipt.scope.clone(),
        // The name itself is not kept.
        subject: format!("SHA-256 {}", receipt.name_sha256),
        requested_by: receipt.asked_by.clone(),
        requested_unix_ms: unix(receipt.erased_unix_ms),
        erased_unix_ms: Some(unix(receipt.erased_unix_ms)),
        records: receipt.records,
        texts: receipt.texts,
        clips: receipt.clips,
        keys: receipt.keys,
    }
}

pub(super) async fn show(
    State(app): State<Shared>,
    visitor: Visitor,
    Asked(query): Asked<PrivacyQuery>,
) -> Page {
    let retention = &app.settings.retention;
    let kept = |what: &str, days: u32, setting: &str| RetentionRow {
        what: what.to_owned(),
        days: Some(days),
        setting: setting.to_owned(),
    };
    let admin = visitor.person.role >= Role::Admin;
    let audit = match admin {
        true => app.store.audit(query.page * PAGE_SIZE, PAGE_SIZE).await?,
        false => Vec::new(),
    };
    let totals = app.store.consented_totals().await?;
    let filters = FilterBar { action: "/privacy".to_owned(), ..FilterBar::default() };
    let more = audit.len() == PAGE_SIZE;
    page(&PrivacyPage {
        shell: visitor.shell(Section::Privacy),
        retention: vec![
            kept("Records (figures) as they came", retention.records_days, "--keep-records-days"),
            kept("Texts and recordings with consent", retention.consented_days, "--keep-consented-days"),
            kept("Hourly figures and comparisons", retention.rollups_days, "--keep-rollups-days"),
        ],
        counts: ConsentedCounts {
            texts: totals.texts,
            clips: totals.clips,
            clip_bytes: totals.clip_bytes,
            people: totals.people,
            devices: totals.devices,
        },
        receipts: app.store.receipts(20).await?.iter().map(receipt_view).collect(),
        audit_pager: pager(&filters, query.page, PAGE_SIZE, audit.len(), None, more),
        audit: audit
            .into_iter()
            .map(|entry| AuditRow {
                at_unix_ms: unix(entry.at_ms),
                actor: entry.who,
                action: entry.action,
                object: entry.target,
            })
            .collect(),
    })
}

#[derive(Deserialize)]
pub(super) struct Erasure {
    scope: String,
    id: String,
    #[serde(default)]
    confirmed: String,
    #[serde(default)]
    typed: String,
}

pub(super) async fn erase(State(app): State<Shared>, signed: Signed<Erasure>) -> Page {
    let Signed { visitor, form } = signed;
    visitor.must_be(Role::Admin)?;
    let name = form.id.trim().to_owned();
    if !earwitness_telemetry::limits::valid_id(&name) {
        return Err(PageError::bad("A name is 1 to 64 letters, digits, -, _ or a point."));
    }
    let scope = match form.scope.as_str() {
        "device" => EraseScope::Device(name),
        "person" => EraseScope::Person(name),
        _ => return Err(PageError::bad("Say whether it is a device or a person.")),
    };
    super::device::confirm_erasure(&app, &visitor, scope, &form.confirmed, &form.typed).await
}

pub(super) async fn receipt(
    State(app): State<Shared>,
    visitor: Visitor,
    Path(receipt_id): Path<String>,
) -> Page {
    let receipt = app.store.receipt(&receipt_id).await?.ok_or_else(PageError::not_found)?;
    page(&ReceiptPage { shell: visitor.shell(Section::Privacy), receipt: receipt_view(&receipt) })
}
