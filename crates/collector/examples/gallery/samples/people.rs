//! What people look for, ask for and decide.

use super::*;

pub(super) fn search(kind: Kind, asked: bool) -> SearchPage {
    let mut filters = filters(kind, "/search", true);
    filters.range = Some(TimeRange::Month);
    let query = if asked { kind.text(0, "apple pie") } else { String::new() };
    filters.kept = vec![("q", query.clone())];
    let hit = |n: usize| {
        let text = kind.text(
            n,
            [
                "Two large teas and a slice of apple pie, please.",
                "An apple, and the pie later.",
                "How long do apples keep in the pie case overnight?",
            ][n % 3],
        );
        Hit {
            utterance_id: kind.text(n, "9f3a61c2-118"),
            device_id: kind.text(n + 1, DEVICES[n]),
            recorded_unix_ms: NOW - n as u64 * 5 * HOUR,
            engine: kind
                .text(n + 2, ["whisper tiny.en f16", "corrected by the user", "whisper base int8"][n % 3]),
            language: Some(kind.text(n, "en")),
            fragments: highlight(&text, &["apple", "pie", "script", "donau"]),
            clip_href: (n % 3 != 1).then(|| format!("/clips/{}", segment(&kind.text(n, "9f3a61c2-118")))),
        }
    };
    let next_href = Some(filters.href_with(&[("page", "2")]));
    SearchPage {
        shell: shell(kind, Section::Search),
        query,
        hits: kind.some(6, hit),
        pager: Pager { first: 1, last: 6, total: Some(23), previous_href: None, next_href },
        searchable: if kind == Kind::Empty && !asked { 0 } else { 5310 },
        filters,
    }
}

pub(super) fn receipts(kind: Kind) -> Vec<Receipt> {
    kind.some(2, |n| Receipt {
        receipt_id: kind.text(n, ["r-20260301-7f21", "r-20260212-03ab"][n]),
        scope: ["device", "person"][n].to_owned(),
        subject: kind.text(n + 1, ["kiosk-old-04", "subject-51e0"][n]),
        requested_by: kind.text(n + 2, "marta"),
        requested_unix_ms: NOW - (n as u64 * 17 * DAY) - 2 * MINUTE,
        erased_unix_ms: (n == 1).then_some(NOW - 17 * DAY - 2 * MINUTE + 3400),
        records: [90_114, 212][n],
        texts: [3120, 212][n],
        clips: [640, 88][n],
        keys: 1,
    })
}

/// What is collected, counted and erased.
pub fn privacy(kind: Kind) -> PrivacyPage {
    let next_href = Some("/privacy?page=2".to_owned());
    PrivacyPage {
        shell: shell(kind, Section::Privacy),
        retention: kind.some(4, |n| RetentionRow {
            what: kind.text(n, ["Records", "Texts", "Recordings", "Hourly roll-ups"][n]),
            days: [Some(365), Some(90), Some(30), None][n],
            setting: kind.text(
                n + 1,
                [
                    "retention.records_days",
                    "retention.texts_days",
                    "retention.clips_days",
                    "retention.rollups_days",
                ][n],
            ),
        }),
        counts: if kind == Kind::Empty {
            ConsentedCounts::default()
        } else {
            ConsentedCounts { texts: 5310, clips: 1204, clip_bytes: 96_400_000, people: 12, devices: 7 }
        },
        receipts: receipts(kind),
        audit: kind.some(5, |n| AuditRow {
            at_unix_ms: NOW - n as u64 * 40 * MINUTE,
            actor: kind.text(n, ["marta", "kitchen-pi", "marta", "server", "jan"][n]),
            action: kind.text(n + 1, ["erase", "enroll", "login", "retention", "read clip"][n]),
            object: kind.text(n + 2, ["device kiosk-old-04", "code 51", "", "412 texts", "9f3a61c2-118"][n]),
        }),
        audit_pager: Pager { first: 1, last: 5, total: None, previous_href: None, next_href },
    }
}

pub(super) fn login(kind: Kind) -> LoginPage {
    LoginPage {
        shell: Shell::new(Section::Other, None, "q7Yk0n5pT2cVb1", NOW),
        problem: (kind != Kind::Empty).then(|| kind.text(0, "Name or password is wrong.")),
        name: if kind == Kind::Empty { String::new() } else { kind.text(1, "marta") },
        next: kind.text(5, "/shadow"),
    }
}

pub(super) fn admin(kind: Kind) -> AdminPage {
    let fresh = FreshSecret {
        what: kind.text(0, "Enrolment code for kitchen-pi"),
        secret: kind.text(3, "7QK4-M2XD-9RTB"),
        instruction: kind.text(1, "Give it to the device."),
        command: Some(
            kind.text(2, "earwitness enroll --server https://ears.example:8090 --code 7QK4-M2XD-9RTB"),
        ),
        expires_unix_ms: Some(NOW + DAY),
    };
    let notice = Notice { problem: false, text: kind.text(0, "The code was made.") };
    AdminPage {
        shell: shell(kind, Section::Admin).with_notice((kind != Kind::Empty).then_some(notice)),
        fresh: (kind != Kind::Empty).then_some(fresh),
        people: kind.some(3, |n| Person {
            name: kind.text(n, ["marta", "jan", "aleksandra.wisniewska-kowalczyk@example.com"][n]),
            role: Role::ALL[2 - n],
            added_unix_ms: NOW - 41 * DAY,
            last_login_unix_ms: (n != 2).then_some(NOW - n as u64 * 3 * HOUR - MINUTE),
            is_self: n == 0,
        }),
        codes: kind.some(3, |n| EnrolmentCode {
            code_id: kind.text(n, "51"),
            device_id: (n != 1).then(|| kind.text(n, "kitchen-pi")),
            made_by: kind.text(n + 1, "marta"),
            made_unix_ms: NOW - n as u64 * 2 * DAY,
            expires_unix_ms: NOW - n as u64 * 2 * DAY + DAY,
            used_by: (n == 2).then(|| kind.text(n, "van-11")),
            used_unix_ms: (n == 2).then_some(NOW - 4 * DAY),
        }),
        devices: kind.some(12, |n| AdminDevice {
            device_id: kind.text(n, DEVICES[n]),
            enrolled_unix_ms: NOW - 41 * DAY,
            last_seen_unix_ms: (n != 6).then_some(NOW - n as u64 * 9 * MINUTE),
            revoked_unix_ms: (n == 7).then_some(NOW - 2 * DAY),
        }),
    }
}

pub(super) fn receipt(kind: Kind) -> ReceiptPage {
    let receipt = receipts(if kind == Kind::Empty { Kind::Typical } else { kind })
        .swap_remove(usize::from(kind != Kind::Empty));
    ReceiptPage { shell: shell(kind, Section::Privacy), receipt }
}

pub(super) fn confirm(kind: Kind) -> ConfirmPage {
    ConfirmPage {
        shell: shell(kind, Section::Fleet),
        question: kind.text(0, "Erase everything from kiosk-sopot-01?"),
        consequences: kind.some(3, |n| {
            kind.text(
                n + 1,
                [
                    "90 114 records, 3 120 texts and 640 recordings go.",
                    "The device's key is destroyed: copies in backups cannot be read any more.",
                    "There is no way back.",
                ][n],
            )
        }),
        action: "/devices/kiosk-sopot-01/erase".into(),
        hidden: vec![("scope".into(), kind.text(4, "device"))],
        type_to_confirm: Some(kind.text(3, "kiosk-sopot-01")),
        button: kind.text(5, "Erase"),
        cancel_href: "/devices/kiosk-sopot-01".into(),
    }
}
