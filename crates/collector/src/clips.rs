//! Recordings that somebody consented to: sealed with the speaker's key, in a folder or in S3.

use std::sync::Arc;

use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use crate::store::{Store, StoreError};
use crate::vault::{context, new_secret};

/// Why the clip store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClipsError {
    /// The folder cannot be made.
    #[error("cannot create the clip folder {path}: {source}")]
    Folder {
        /// Which.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The address does not fit.
    #[error("cannot use the clip store {address}: {source}")]
    Open {
        /// As it was given.
        address: String,
        /// The cause.
        source: object_store::Error,
    },
    /// This build cannot.
    #[error("{0} needs a build with the feature `s3`")]
    NotBuilt(String),
}

/// Objects deleted between two looks at what is due.
const SWEEP_STEP: i64 = 256;

/// Where clips lie.
#[derive(Clone)]
pub struct Clips(Arc<dyn ObjectStore>);

/// A clip that came.
pub(crate) struct NewClip<'a> {
    pub(crate) device_id: &'a str,
    pub(crate) utterance_id: &'a str,
    pub(crate) subject_id: &'a str,
    pub(crate) granted_ms: i64,
    pub(crate) flac: &'a [u8],
}

impl Clips {
    /// Opens `PATH` or `s3://BUCKET/PREFIX`; S3's settings come from the usual `AWS_…` variables.
    ///
    /// # Errors
    /// [`ClipsError`].
    pub fn open(address: &str) -> Result<Self, ClipsError> {
        if address.starts_with("s3://") {
            return open_s3(address);
        }
        std::fs::create_dir_all(address)
            .map_err(|source| ClipsError::Folder { path: address.to_owned(), source })?;
        let local = object_store::local::LocalFileSystem::new_with_prefix(address)
            .map_err(|source| ClipsError::Open { address: address.to_owned(), source })?;
        Ok(Self(Arc::new(local.with_automatic_cleanup(true))))
    }

    /// Seals and keeps a clip. Whether it was kept: not if its consent was void by then.
    pub(crate) async fn keep(&self, store: &Store, clip: &NewClip<'_>) -> Result<bool, StoreError> {
        let Some(key) = store.person_key_for(clip.device_id, clip.subject_id, clip.granted_ms).await? else {
            return Ok(false);
        };
        let sealed = key.seal(&clip_context(clip.device_id, clip.utterance_id), clip.flac);
        // A random name: nothing that a client sends becomes a path.
        let object = format!("clips/{}", new_secret(""));
        store.announce_object(clip.device_id, &object).await?;
        self.0.put(&ObjectPath::from(object.as_str()), PutPayload::from(sealed)).await?;
        let kept = store.replace_clip(clip, &key, &object).await?;
        // The one that it replaces. What fails is tried again with the next, and hourly.
        if let Err(error) = self.sweep(store).await {
            tracing::warn!(%error, "clips that must go could not be deleted yet");
        }
        Ok(kept)
    }

    /// A clip as FLAC; `None` if there is none, or not any more.
    pub(crate) async fn load(
        &self,
        store: &Store,
        device_id: &str,
        utterance_id: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some((subject_id, object)) = store.clip_object(device_id, utterance_id).await? else {
            return Ok(None);
        };
        let Some(key) = store.person_key(device_id, &subject_id).await? else { return Ok(None) };
        let sealed = match self.0.get(&ObjectPath::from(object.as_str())).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match key.open(&clip_context(device_id, utterance_id), &sealed) {
            Ok(flac) => Ok(Some(flac)),
            Err(error) => {
                tracing::warn!(%error, device_id, utterance_id, "a clip cannot be read");
                Ok(None)
            }
        }
    }

    /// Deletes what is due; what is gone already counts as deleted. What fails stays due, and the rest goes on.
    pub(crate) async fn sweep(&self, store: &Store) -> Result<(), StoreError> {
        loop {
            let due = store.due_objects(SWEEP_STEP).await?;
            let mut failure = None;
            for doomed in &due {
                match self.0.delete(&ObjectPath::from(doomed.object.as_str())).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => store.object_gone(doomed).await?,
                    Err(error) => failure = Some(error),
                }
            }
            match failure {
                Some(error) => return Err(error.into()),
                None if due.len() < SWEEP_STEP as usize => return Ok(()),
                None => {}
            }
        }
    }
}

fn clip_context(device_id: &str, utterance_id: &str) -> Vec<u8> {
    context(&["clip", device_id, utterance_id])
}

#[cfg(feature = "s3")]
fn open_s3(address: &str) -> Result<Clips, ClipsError> {
    let failed = |source| ClipsError::Open { address: address.to_owned(), source };
    let (bucket, prefix) = address.trim_start_matches("s3://").split_once('/').unwrap_or((&address[5..], ""));
    let store =
        object_store::aws::AmazonS3Builder::from_env().with_bucket_name(bucket).build().map_err(failed)?;
    Ok(Clips(Arc::new(object_store::prefix::PrefixStore::new(store, prefix))))
}

#[cfg(not(feature = "s3"))]
fn open_s3(address: &str) -> Result<Clips, ClipsError> {
    Err(ClipsError::NotBuilt(address.to_owned()))
}
