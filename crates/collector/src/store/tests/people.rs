//! Tokens, codes, roles.

use super::*;

on_both! {
    a_code_enrols_one_device_once,
    a_revoked_token_is_worthless_and_the_device_may_come_back,
    people_have_keys_and_sign_ins_end,
}

async fn a_code_enrols_one_device_once(f: Fixture) {
    let code = f.store.new_enrolment("ann", 60_000).await.unwrap();
    let token = f.store.enrol(&code.code, "new").await.unwrap();
    assert_eq!(f.store.device_of(&token).await.unwrap().as_deref(), Some("new"));
    assert!(matches!(f.store.enrol(&code.code, "other").await, Err(EnrolError::BadCode)));
    let late = f.store.new_enrolment("ann", -1).await.unwrap();
    assert!(matches!(f.store.enrol(&late.code, "other").await, Err(EnrolError::BadCode)));
    let code = f.store.new_enrolment("ann", 60_000).await.unwrap();
    assert!(matches!(f.store.enrol(&code.code, "new").await, Err(EnrolError::Taken)));
    // What failed did not use the code up.
    assert!(f.store.enrol(&code.code, "other").await.is_ok());
}

async fn a_revoked_token_is_worthless_and_the_device_may_come_back(f: Fixture) {
    let token = enrol(&f.store, "lost").await;
    assert!(f.store.revoke("lost").await.unwrap() && !f.store.revoke("lost").await.unwrap());
    assert_eq!(f.store.device_of(&token).await.unwrap(), None);
    let again = enrol(&f.store, "lost").await;
    assert_eq!(f.store.device_of(&again).await.unwrap().as_deref(), Some("lost"));
    assert_eq!(f.store.device_of(&token).await.unwrap(), None);
}

async fn people_have_keys_and_sign_ins_end(f: Fixture) {
    let key = f.store.appoint("ann", Role::Viewer).await.unwrap();
    let ann = f.store.person_of_key(&key).await.unwrap().unwrap();
    assert_eq!((ann.name.as_str(), ann.role), ("ann", Role::Viewer));
    let cookie = f.store.sign_in("ann").await.unwrap();
    assert!(f.store.person_of_cookie(&cookie).await.unwrap().is_some());
    f.store.sign_out(&cookie).await.unwrap();
    assert!(f.store.person_of_cookie(&cookie).await.unwrap().is_none());
    let cookie = f.store.sign_in("ann").await.unwrap();
    let new_key = f.store.appoint("ann", Role::Admin).await.unwrap();
    assert!(f.store.person_of_key(&key).await.unwrap().is_none());
    assert!(
        f.store.person_of_cookie(&cookie).await.unwrap().is_none(),
        "a new key ends what the old one began"
    );
    assert!(f.store.dismiss("ann").await.unwrap());
    assert!(f.store.person_of_key(&new_key).await.unwrap().is_none());
    assert!(f.store.people().await.unwrap().is_empty());
}
