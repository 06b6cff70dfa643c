//! What people said, sealed at rest: one key a person, so that an erasure destroys a key and with it every copy.
//!
//! ```text
//! server key (a file, mode 600) ── seals ──► person key (table person_keys) ── seals ──► texts, clips, references
//!                                                    └── keyed hash ──► tokens: the blind index of search
//! ```
//! A person is a `(device, subject)`; where a record names no subject the device itself is the person, under the empty
//! subject. Backups and logs of the database hold sealed keys only, and the server key is in none of them.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use earwitness_scoring::fleet::SamplingKey;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

const NONCE_BYTES: usize = 24;

/// Why there is no server key.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file cannot be read or made.
    #[error("cannot use the key file {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Others may read it.
    #[error("the key file {} can be read by others: run `chmod 600` on it", .0.display())]
    Exposed(PathBuf),
    /// It holds something else.
    #[error("{} is no key file: it must hold 64 hexadecimal digits", .0.display())]
    Malformed(PathBuf),
}

/// Something sealed does not open: another key, or changed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed data does not open: it was changed, or the server's key file is another one")]
pub struct Unopenable;

/// Holds the server key.
#[derive(Clone)]
pub struct Vault(SealKey);

impl Vault {
    /// Reads the key file; makes one with a new key where there is none.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open(path: &Path) -> Result<Self, VaultError> {
        let failed = |source| VaultError::File { path: path.to_owned(), source };
        if !path.exists() {
            create(path).map_err(failed)?;
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
                return Err(VaultError::Exposed(path.to_owned()));
            }
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let key = from_hex(text.trim()).ok_or_else(|| VaultError::Malformed(path.to_owned()))?;
        Ok(Self(SealKey(key.into())))
    }

    /// A key for this test or run only.
    pub fn ephemeral() -> Self {
        Self(SealKey(Key::generate()))
    }

    /// A new person's key, and its sealed form for the database.
    pub(crate) fn new_person(&self, device_id: &str, subject_id: &str) -> (SealKey, Vec<u8>) {
        let key = SealKey(Key::generate());
        let wrapped = self.0.seal(&context(&["key", device_id, subject_id]), &key.0);
        (key, wrapped)
    }

    /// A person's key from its sealed form.
    pub(crate) fn person(
        &self,
        device_id: &str,
        subject_id: &str,
        wrapped: &[u8],
    ) -> Result<SealKey, Unopenable> {
        let plain = self.0.open(&context(&["key", device_id, subject_id]), wrapped)?;
        let key: [u8; 32] = plain.try_into().map_err(|_| Unopenable)?;
        Ok(SealKey(key.into()))
    }

    /// What decides which utterances people hear: the same on every server that has this key, unknown to anybody else.
    pub(crate) fn sampling_key(&self) -> SamplingKey {
        SamplingKey::new(self.0.mac(&context(&["sampling"])))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault([redacted])")
    }
}

/// A key that seals and hashes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SealKey(Key);

impl SealKey {
    /// Nonce and ciphertext; `context` must be the same to open it.
    pub(crate) fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce = XNonce::generate();
        let mut sealed = nonce.to_vec();
        // Fails beyond 256 GB only.
        let payload = Payload { msg: plain, aad: context };
        sealed.extend(XChaCha20Poly1305::new(&self.0).encrypt(&nonce, payload).unwrap_or_default());
        sealed
    }

    pub(crate) fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Unopenable> {
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES).ok_or(Unopenable)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| Unopenable)?;
        let payload = Payload { msg: text, aad: context };
        XChaCha20Poly1305::new(&self.0).decrypt(&nonce, payload).map_err(|_| Unopenable)
    }

    /// HMAC-SHA256.
    fn mac(&self, message: &[u8]) -> [u8; 32] {
        // A key of any length is fine.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 32] };
        mac.update(message);
        mac.finalize().into_bytes().into()
    }

    /// What stands for a word in the blind index: the first 64 bits of a keyed hash.
    pub(crate) fn token(&self, word: &str) -> i64 {
        let mac = self.mac(&context(&["token", word]));
        mac.iter().take(8).fold(0, |token, byte| token << 8 | i64::from(*byte))
    }
}

/// Parts with their lengths: no two lists give the same bytes.
pub(crate) fn context(parts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

/// What the database holds of a secret of high entropy: its SHA-256.
pub(crate) fn secret_hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// A new secret of 256 bits, in letters and digits that survive a URL, after `prefix`.
pub(crate) fn new_secret(prefix: &str) -> String {
    use base64::Engine;
    let random = Key::generate();
    format!("{prefix}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random))
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    let mut key = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

fn create(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(format!("{}\n", to_hex(&Key::generate())).as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_person_and_place_open_what_was_sealed() {
        let vault = Vault::ephemeral();
        let (key, wrapped) = vault.new_person("pi", "ann");
        let sealed = key.seal(&context(&["pi", "u-1", "primary"]), b"turn on the light");
        let again = vault.person("pi", "ann", &wrapped).unwrap();
        assert_eq!(again.open(&context(&["pi", "u-1", "primary"]), &sealed).unwrap(), b"turn on the light");
        assert_eq!(again.open(&context(&["pi", "u-2", "primary"]), &sealed), Err(Unopenable));
        assert!(vault.person("pi", "bob", &wrapped).is_err());
        assert!(Vault::ephemeral().person("pi", "ann", &wrapped).is_err());
        for cut in 0..sealed.len() {
            assert_eq!(again.open(&context(&["pi", "u-1", "primary"]), &sealed[..cut]), Err(Unopenable));
        }
    }

    #[test]
    fn contexts_cannot_run_into_each_other() {
        assert_ne!(context(&["ab", "c"]), context(&["a", "bc"]));
        assert_ne!(context(&["ab"]), context(&["ab", ""]));
    }

    #[test]
    fn servers_with_one_key_pick_the_same_and_others_differently() {
        let folder = tempfile::tempdir().unwrap();
        let open =
            |name: &str| Vault::open(&folder.path().join(name)).unwrap().sampling_key().number("pi", "u");
        assert_eq!(open("a.key"), open("a.key"));
        assert_ne!(open("a.key"), open("b.key"));
    }

    #[test]
    fn a_key_file_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.key");
        let (_, wrapped) = Vault::open(&path).unwrap().new_person("pi", "");
        assert!(Vault::open(&path).unwrap().person("pi", "", &wrapped).is_ok());
        std::fs::write(&path, "not a key").unwrap();
        assert!(matches!(Vault::open(&path), Err(VaultError::Malformed(_))));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(matches!(Vault::open(&path), Err(VaultError::Exposed(_))));
        }
    }
}
