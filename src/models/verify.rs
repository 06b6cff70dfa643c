//! SHA-256 while bytes pass, and the state of installed files.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::catalog::{FileSpec, Sha256Hex};
use super::error::ModelError;
use super::manifest::InstalledFile;

/// Bytes moved at a time between files.
pub(crate) const COPY_BUFFER: usize = 256 * 1024;

/// How one installed file is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FileCheck {
    /// File name.
    pub name: String,
    /// What was found.
    pub state: FileState,
}

/// The state of a file compared with its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Length and digest agree.
    Whole,
    /// It is gone, or a link to something that is gone.
    Missing,
    /// Its length differs.
    WrongSize,
    /// Its length agrees and its content does not.
    WrongContent,
}

impl FileState {
    /// The state in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Whole => "ok",
            Self::Missing => "missing",
            Self::WrongSize => "wrong size",
            Self::WrongContent => "wrong content",
        }
    }
}

/// Passes bytes on, counting and digesting them.
pub(crate) struct HashingWriter<W> {
    inner: W,
    hasher: Sha256,
    written: u64,
}

impl<W: Write> HashingWriter<W> {
    /// Starts empty.
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new(), written: 0 }
    }

    /// Counts and digests `reader`'s bytes as if they had been written: what an earlier run left behind.
    pub(crate) fn absorb(&mut self, mut reader: impl Read) -> io::Result<()> {
        let mut buffer = vec![0; COPY_BUFFER];
        loop {
            let n = reader.read(&mut buffer)?;
            let Some(bytes) = buffer.get(..n).filter(|b| !b.is_empty()) else { return Ok(()) };
            self.hasher.update(bytes);
            self.written += n as u64;
        }
    }

    /// Bytes so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The inner writer, the count and the digest.
    pub(crate) fn finish(self) -> (W, u64, Sha256Hex) {
        (self.inner, self.written, hex(&self.hasher.finalize()))
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..n).unwrap_or(bytes));
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Copies all of `reader` into `writer`, telling `advanced` of every block.
pub(crate) fn copy(
    mut reader: impl Read,
    writer: &mut impl Write,
    mut advanced: impl FnMut(u64),
) -> Result<(), CopyError> {
    let mut buffer = vec![0; COPY_BUFFER];
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(CopyError::Read(e)),
        };
        writer.write_all(buffer.get(..n).unwrap_or_default()).map_err(CopyError::Write)?;
        advanced(n as u64);
    }
}

/// Which side of a copy failed: a full disk is not a broken source.
#[derive(Debug)]
pub(crate) enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

/// The length and digest of a file.
pub(crate) fn digest_file(path: &Path) -> io::Result<(u64, Sha256Hex)> {
    let mut sink = HashingWriter::new(io::sink());
    sink.absorb(File::open(path)?)?;
    let (_, bytes, sha256) = sink.finish();
    Ok((bytes, sha256))
}

/// Compares what came with what the catalogue pins; nothing pinned passes.
pub(crate) fn check_spec(
    spec: &FileSpec,
    bytes: u64,
    sha256: &Sha256Hex,
    origin: &str,
) -> Result<(), ModelError> {
    if let Some(expected) = spec.bytes.filter(|&e| e != bytes) {
        return Err(ModelError::WrongSize {
            file: spec.name.clone(),
            origin: origin.to_owned(),
            expected,
            found: bytes,
        });
    }
    match &spec.sha256 {
        Some(expected) if expected != sha256 => Err(ModelError::Checksum {
            file: spec.name.clone(),
            origin: origin.to_owned(),
            expected: expected.to_string(),
            found: sha256.to_string(),
        }),
        _ => Ok(()),
    }
}

/// The state of `file` in `folder`, reading all of it if its length agrees.
pub(crate) fn check_installed(folder: &Path, file: &InstalledFile) -> Result<FileCheck, ModelError> {
    let path = folder.join(&file.name);
    let state = match path.metadata() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => FileState::Missing,
        Err(e) => return Err(ModelError::io("read", &path, e)),
        Ok(meta) if meta.len() != file.bytes => FileState::WrongSize,
        Ok(_) => match digest_file(&path).map_err(|e| ModelError::io("read", &path, e))? {
            (_, sha256) if sha256 == file.sha256 => FileState::Whole,
            _ => FileState::WrongContent,
        },
    };
    Ok(FileCheck { name: file.name.clone(), state })
}

fn hex(bytes: &[u8]) -> Sha256Hex {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Sha256Hex::from_digest(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::error::ModelErrorKind;

    struct FullDisk {
        room: usize,
    }

    impl Write for FullDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.room);
            self.room -= n;
            if n == 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(n) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_fills_up_while_writing_is_a_disk_error_and_counts_what_was_written() {
        let mut sink = HashingWriter::new(FullDisk { room: 1000 });
        let Err(CopyError::Write(error)) = copy(io::repeat(1).take(5000), &mut sink, |_| {}) else {
            panic!("it was full")
        };
        assert_eq!(sink.written(), 1000);
        let error = ModelError::io("write", Path::new("x"), error);
        assert!(matches!(error, ModelError::DiskFull { .. }));
        assert_eq!(error.kind(), ModelErrorKind::Disk);
    }

    #[test]
    fn the_digest_of_pieces_is_the_published_digest_of_the_whole() {
        let mut sink = HashingWriter::new(Vec::new());
        sink.absorb(&b"a"[..]).and_then(|()| sink.write_all(b"bc")).unwrap();
        let (written, bytes, sha256) = sink.finish();
        assert_eq!((written.as_slice(), bytes), (&b"bc"[..], 3));
        assert_eq!(sha256.as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
