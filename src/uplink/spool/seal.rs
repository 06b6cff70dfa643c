//! Encryption at rest: XChaCha20-Poly1305 with a key file.
//!
//! What is sealed is a mark of 4 bytes, a random nonce of 24, and the ciphertext. Its place (a file's name, a record's
//! stream and sequence) is bound to it, so that one cannot be put in another's.

use std::fmt;
use std::path::Path;

use chacha20poly1305::aead::{Aead, Generate, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};

use super::SpoolError;
use crate::private_file;

const MARK: &[u8; 4] = b"EWS1";
const NONCE_BYTES: usize = 24;

/// The key of a sealed spool or journal.
#[derive(Clone)]
pub struct SpoolKey(Key);

impl SpoolKey {
    /// Reads a key file, which only its owner may read.
    ///
    /// # Errors
    /// [`SpoolError::KeyFile`], [`SpoolError::BadKey`].
    pub fn from_file(path: &Path) -> Result<Self, SpoolError> {
        let content = private_file::read(path)?;
        let key = std::str::from_utf8(&content).ok().and_then(from_hex);
        key.map(|key| Self(key.into())).ok_or_else(|| SpoolError::BadKey(path.to_owned()))
    }

    /// A new random key, as a key file holds it.
    pub fn generate() -> String {
        let key = Key::generate();
        let mut text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        text.push('\n');
        text
    }

    pub(in crate::uplink) fn seal(&self, place: &[u8], plain: &[u8]) -> Vec<u8> {
        let nonce = XNonce::generate();
        let mut sealed = MARK.to_vec();
        sealed.extend_from_slice(&nonce);
        // Fails beyond 256 GB only.
        let payload = Payload { msg: plain, aad: place };
        sealed.extend(XChaCha20Poly1305::new(&self.0).encrypt(&nonce, payload).unwrap_or_default());
        sealed
    }

    pub(in crate::uplink) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let rest = sealed.strip_prefix(MARK)?;
        let (nonce, text) = rest.split_at_checked(NONCE_BYTES)?;
        let nonce = XNonce::try_from(nonce).ok()?;
        let payload = Payload { msg: text, aad: place };
        XChaCha20Poly1305::new(&self.0).decrypt(&nonce, payload).ok()
    }
}

/// Whether `content` is sealed.
pub(in crate::uplink) fn is_sealed(content: &[u8]) -> bool {
    content.starts_with(MARK)
}

/// 16 random bytes from the system, for an id that no other device has.
#[cfg(feature = "telemetry")]
pub(in crate::uplink) fn random_id() -> [u8; 16] {
    let random = XNonce::generate();
    std::array::from_fn(|i| random[i])
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.trim().as_bytes();
    let mut key = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(key)
}

impl fmt::Debug for SpoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpoolKey([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SpoolKey {
        SpoolKey(from_hex(&SpoolKey::generate()).unwrap().into())
    }

    #[test]
    fn only_the_same_key_and_name_open_an_unchanged_file() {
        let key1 = key();
        let sealed = key1.seal(b"a.flac", b"speech");
        assert!(is_sealed(&sealed) && !sealed.windows(6).any(|w| w == b"speech"));
        assert_eq!(key1.open(b"a.flac", &sealed).as_deref(), Some(&b"speech"[..]));
        assert_eq!(key1.open(b"b.flac", &sealed), None);
        assert_eq!(key().open(b"a.flac", &sealed), None);
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 1;
            assert_eq!(key1.open(b"a.flac", &changed), None, "byte {i}");
            assert_eq!(key1.open(b"a.flac", &sealed[..i]), None, "cut to {i}");
        }
        assert_ne!(sealed, key1.seal(b"a.flac", b"speech"), "a nonce is never used twice");
    }

    #[test]
    fn keys_are_64_hexadecimal_digits() {
        assert!(from_hex(&"0f".repeat(32)).is_some());
        for bad in ["", "0f", &"0g".repeat(32), &"0f".repeat(33), &"é".repeat(32)] {
            assert!(from_hex(bad).is_none(), "{bad}");
        }
    }
}
