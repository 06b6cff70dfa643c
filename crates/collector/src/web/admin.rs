//! `/admin`: people and their roles, codes for devices.

use axum::extract::State;
use earwitness_telemetry::limits::valid_id;
use serde::Deserialize;

use super::session::Signed;
use super::{Page, PageError, Visitor, go_to, page, unix};
use crate::api::{App, Shared};
use crate::pages::{AdminDevice, AdminPage, EnrolmentCode, FreshSecret, Person, Section};
use crate::store::Role;
use crate::store::rollup::DAY_MS;

async fn view(app: &App, visitor: &Visitor, fresh: Option<FreshSecret>) -> Page {
    let people = app.store.people().await?;
    let codes = app.store.enrolments().await?;
    let devices = app.store.devices().await?;
    page(&AdminPage {
        shell: visitor.shell(Section::Admin),
        fresh,
        people: people
            .into_iter()
            .map(|person| Person {
                is_self: person.name == visitor.person.name,
                name: person.name,
                role: super::session::role(person.role),
                added_unix_ms: unix(person.created_ms),
                last_login_unix_ms: person.last_login_ms.map(unix),
            })
            .collect(),
        codes: codes
            .into_iter()
            .map(|code| EnrolmentCode {
                code_id: code.code_id,
                device_id: None,
                made_by: code.created_by,
                made_unix_ms: unix(code.created_ms),
                expires_unix_ms: unix(code.expires_ms),
                used_by: code.device_id,
                used_unix_ms: code.used_ms.map(unix),
            })
            .collect(),
        devices: devices
            .into_iter()
            .map(|device| AdminDevice {
                device_id: device.device_id,
                enrolled_unix_ms: unix(device.enrolled_ms),
                last_seen_unix_ms: device.last_seen_ms.map(unix),
                revoked_unix_ms: device.revoked_ms.map(unix),
            })
            .collect(),
    })
}

pub(super) async fn show(State(app): State<Shared>, visitor: Visitor) -> Page {
    visitor.must_be(Role::Admin)?;
    view(&app, &visitor, None).await
}

#[derive(Deserialize)]
pub(super) struct Appointment {
    name: String,
    role: String,
}

#[derive(Deserialize)]
pub(super) struct Named {
    name: String,
}

fn fresh_key(name: &str, key: String) -> FreshSecret {
    FreshSecret {
        what: format!("Access key of {name}"),
        secret: key,
        instruction: "Hand it over on a safe way: it is shown this once, and is the password at login."
            .to_owned(),
        command: None,
        expires_unix_ms: None,
    }
}

/// A new person, or another role for one.
pub(super) async fn appoint(State(app): State<Shared>, signed: Signed<Appointment>) -> Page {
    let Signed { visitor, form } = signed;
    visitor.must_be(Role::Admin)?;
    let name = form.name.trim();
    if !valid_id(name) {
        return Err(PageError::bad("A name is 1 to 64 letters, digits, -, _ or a point."));
    }
    let role = Role::parse(&form.role).ok_or_else(|| PageError::bad("There is no such role."))?;
    if name == visitor.person.name && role != Role::Admin {
        return Err(PageError::bad("You cannot take your own role away: another administrator can."));
    }
    let key = app.store.appoint(name, role).await?;
    app.store.note(&visitor.person.name, "appoint", &format!("{name} {}", role.name())).await?;
    // The administrator's own sign-in ended with the old key.
    if name == visitor.person.name {
        return go_to("/login");
    }
    view(&app, &visitor, Some(fresh_key(name, key))).await
}

/// A new key for somebody who lost theirs.
pub(super) async fn reset(State(app): State<Shared>, signed: Signed<Named>) -> Page {
    let Signed { visitor, form } = signed;
    visitor.must_be(Role::Admin)?;
    let people = app.store.people().await?;
    let person =
        people.into_iter().find(|person| person.name == form.name).ok_or_else(PageError::not_found)?;
    if person.name == visitor.person.name {
        return Err(PageError::bad(
            "Ask another administrator, or use `earwitness collect appoint` on the server.",
        ));
    }
    let key = app.store.appoint(&person.name, person.role).await?;
    app.store.note(&visitor.person.name, "new key", &person.name).await?;
    view(&app, &visitor, Some(fresh_key(&person.name, key))).await
}

pub(super) async fn dismiss(State(app): State<Shared>, signed: Signed<Named>) -> Page {
    let Signed { visitor, form } = signed;
    visitor.must_be(Role::Admin)?;
    if form.name == visitor.person.name {
        return Err(PageError::bad("You cannot remove yourself: another administrator can."));
    }
    if app.store.dismiss(&form.name).await? {
        app.store.note(&visitor.person.name, "remove", &form.name).await?;
    }
    go_to("/admin")
}

#[derive(Deserialize)]
pub(super) struct ForDevice {
    #[serde(default)]
    device_id: String,
}

pub(super) async fn new_code(State(app): State<Shared>, signed: Signed<ForDevice>) -> Page {
    let Signed { visitor, form } = signed;
    visitor.must_be(Role::Admin)?;
    let device = form.device_id.trim();
    if !device.is_empty() && !valid_id(device) {
        return Err(PageError::bad("A name is 1 to 64 letters, digits, -, _ or a point."));
    }
    let code = app.store.new_enrolment(&visitor.person.name, DAY_MS).await?;
    app.store.note(&visitor.person.name, "make enrolment code", device).await?;
    let named = if device.is_empty() { "DEVICE-NAME" } else { device };
    let fresh = FreshSecret {
        what: "Enrolment code".to_owned(),
        instruction: "Use it once, on the device, within a day.".to_owned(),
        command: Some(format!("earwitness telemetry enroll --code {} --device-id {named}", code.code)),
        secret: code.code,
        expires_unix_ms: Some(unix(code.expires_ms)),
    };
    view(&app, &visitor, Some(fresh)).await
}

#[derive(Deserialize)]
pub(super) struct Code {
    code_id: String,
}

pub(super) async fn withdraw(State(app): State<Shared>, signed: Signed<Code>) -> Page {
    let Signed { visitor, form } = signed;
    visitor.must_be(Role::Admin)?;
    if app.store.withdraw(&form.code_id).await? {
        app.store.note(&visitor.person.name, "withdraw enrolment code", "").await?;
    }
    go_to("/admin")
}
