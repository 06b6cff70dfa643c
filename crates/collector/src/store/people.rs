//! People: access keys of 256 bits, roles, sign-ins, and the log of what they did.

use super::db::values;
use super::{Store, StoreError, now_ms};
use crate::vault::{new_secret, secret_hash};

/// What somebody may do. Each may do what those before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Hear clips, read texts, judge.
    Labeller,
    /// Enrol, revoke, erase, appoint.
    Admin,
}

impl Role {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Labeller => "labeller",
            Self::Admin => "admin",
        }
    }

    /// From how it is written.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Labeller, Self::Admin].into_iter().find(|role| role.name() == name)
    }
}

/// Somebody who may look at the fleet.
#[derive(Clone, Debug)]
pub struct Person {
    /// Their name here.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Since when, ms since 1970.
    pub created_ms: i64,
    /// When they signed in last, if they are or were within a day.
    pub last_login_ms: Option<i64>,
}

/// A sign-in lasts a working day.
const SIGN_IN_MS: i64 = 12 * 3_600_000;

impl Store {
    /// Appoints somebody, or gives them a new key and role; the key is shown once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn appoint(&self, name: &str, role: Role) -> Result<String, StoreError> {
        let key = new_secret("ewk_");
        let mut tx = self.db.begin().await?;
        tx.run(
            "insert into people (name, role, key_hash, created_ms) values ($1, $2, $3, $4) \
             on conflict (name) do update set role = excluded.role, key_hash = excluded.key_hash, removed_ms = null",
            values![name, role.name(), secret_hash(&key), now_ms()],
        )
        .await?;
        tx.run("delete from sign_ins where name = $1", values![name]).await?;
        tx.commit().await?;
        Ok(key)
    }

    /// Takes somebody's key and sign-ins away; whether there was somebody.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn dismiss(&self, name: &str) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let sql = "update people set removed_ms = $1 where name = $2 and removed_ms is null";
        let found = tx.run(sql, values![now_ms(), name]).await? == 1;
        tx.run("delete from sign_ins where name = $1", values![name]).await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Everybody, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn people(&self) -> Result<Vec<Person>, StoreError> {
        let sql = "select p.name, p.role, p.created_ms, (select max(s.created_ms) from sign_ins s where s.name = p.name) \
                   from people p where p.removed_ms is null order by p.name";
        let rows = self.db.rows(sql, Vec::new()).await?;
        rows.iter().map(person).collect()
    }

    /// Whose key this is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn person_of_key(&self, key: &str) -> Result<Option<Person>, StoreError> {
        let sql = "select name, role, created_ms, cast(null as bigint) from people where key_hash = $1 and removed_ms is null";
        self.db.row(sql, values![secret_hash(key)]).await?.as_ref().map(person).transpose()
    }

    /// Signs somebody in; gives the cookie's value.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sign_in(&self, name: &str) -> Result<String, StoreError> {
        let (cookie, now) = (new_secret(""), now_ms());
        self.db.run("delete from sign_ins where expires_ms <= $1", values![now]).await?;
        self.db
            .run(
                "insert into sign_ins (cookie_hash, name, created_ms, expires_ms) values ($1, $2, $3, $4)",
                values![secret_hash(&cookie), name, now, now + SIGN_IN_MS],
            )
            .await?;
        Ok(cookie)
    }

    /// Who is signed in with this cookie.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn person_of_cookie(&self, cookie: &str) -> Result<Option<Person>, StoreError> {
        let sql = "select p.name, p.role, p.created_ms, s.created_ms from sign_ins s join people p on p.name = s.name \
                   where s.cookie_hash = $1 and s.expires_ms > $2 and p.removed_ms is null";
        self.db.row(sql, values![secret_hash(cookie), now_ms()]).await?.as_ref().map(person).transpose()
    }

    /// Ends a sign-in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sign_out(&self, cookie: &str) -> Result<(), StoreError> {
        self.db.run("delete from sign_ins where cookie_hash = $1", values![secret_hash(cookie)]).await?;
        Ok(())
    }

    /// Notes that `who` did `action` to `target`: for good, without texts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note(&self, who: &str, action: &str, target: &str) -> Result<(), StoreError> {
        let sql = "insert into audit (at_ms, who, action, target) values ($1, $2, $3, $4)";
        self.db.run(sql, values![now_ms(), who, action, target]).await?;
        Ok(())
    }
}

fn person(row: &super::db::Row) -> Result<Person, StoreError> {
    let role = row.text(1)?;
    let role = Role::parse(&role).ok_or_else(|| StoreError::Damaged(format!("the role `{role}`")))?;
    Ok(Person { name: row.text(0)?, role, created_ms: row.int(2)?, last_login_ms: row.maybe_int(3)? })
}
