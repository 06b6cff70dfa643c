//! Wyoming's framing: a line of JSON, then JSON data and a payload of the lengths that it names.
//!
//! The protocol: <https://github.com/OHF-Voice/wyoming>.

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest header line; Python's own reader refuses longer ones.
const MAX_LINE_BYTES: u64 = 64 << 10;
/// Longest data or payload of one event: half a minute of 48 kHz stereo.
const MAX_PART_BYTES: usize = 8 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct WyomingEvent {
    pub(super) kind: String,
    pub(super) data: Map<String, Value>,
    pub(super) payload: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Option<Map<String, Value>>,
    #[serde(default)]
    data_length: Option<usize>,
    #[serde(default)]
    payload_length: Option<usize>,
}

/// Why a connection is given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Malformed(&'static str),
}

impl WyomingEvent {
    /// An event with the fields of the object `data`.
    pub(super) fn new(kind: &str, data: Value) -> Self {
        let data = match data {
            Value::Object(data) => data,
            _ => Map::new(),
        };
        Self { kind: kind.to_owned(), data, payload: Vec::new() }
    }

    /// The next event; `None` at the end of the stream.
    pub(super) async fn read(reader: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<Self>, FrameError> {
        let mut line = Vec::new();
        let read = (&mut *reader).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(None);
        }
        if line.last() != Some(&b'\n') {
            return Err(FrameError::Malformed("a header without an end"));
        }
        let header: Header =
            serde_json::from_slice(&line).map_err(|_| FrameError::Malformed("a header that is not one"))?;
        let mut data = header.data.unwrap_or_default();
        let extra = part(reader, header.data_length).await?;
        if !extra.is_empty() {
            let extra: Map<String, Value> = serde_json::from_slice(&extra)
                .map_err(|_| FrameError::Malformed("data that is not a JSON object"))?;
            data.extend(extra);
        }
        let payload = part(reader, header.payload_length).await?;
        Ok(Some(Self { kind: header.kind, data, payload }))
    }

    /// Sends it.
    pub(super) async fn write(&self, writer: &mut (impl AsyncWrite + Unpin)) -> std::io::Result<()> {
        let mut header = serde_json::json!({ "type": self.kind, "version": env!("CARGO_PKG_VERSION") });
        let data = match self.data.is_empty() {
            true => Vec::new(),
            false => serde_json::to_vec(&self.data)?,
        };
        if !data.is_empty() {
            header["data_length"] = data.len().into();
        }
        if !self.payload.is_empty() {
            header["payload_length"] = self.payload.len().into();
        }
        let mut frame = serde_json::to_vec(&header)?;
        frame.push(b'\n');
        frame.extend(data);
        frame.extend(&self.payload);
        writer.write_all(&frame).await?;
        writer.flush().await
    }

    /// A number of its data.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.data.get(name)?.as_u64()
    }

    /// A text of its data.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.data.get(name)?.as_str()
    }
}

async fn part(
    reader: &mut (impl AsyncBufRead + Unpin),
    length: Option<usize>,
) -> Result<Vec<u8>, FrameError> {
    let length = length.unwrap_or(0);
    if length > MAX_PART_BYTES {
        return Err(FrameError::Malformed("an event that is too long"));
    }
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).await?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn read(mut bytes: &[u8]) -> Result<Option<WyomingEvent>, FrameError> {
        block_on(WyomingEvent::read(&mut bytes))
    }

    #[test]
    fn data_may_stand_in_the_header_or_after_it() {
        let bytes = b"{\"type\":\"a\",\"data\":{\"x\":1,\"y\":1},\"data_length\":7,\"payload_length\":2}\n{\"x\":2}hi";
        let event = read(bytes).unwrap().unwrap();
        assert_eq!((event.number("x"), event.number("y")), (Some(2), Some(1)));
        assert_eq!(event.payload, b"hi");
        assert_eq!(read(b"").unwrap(), None);
    }

    #[test]
    fn what_is_cut_or_too_long_is_an_error() {
        for bytes in [
            &b"{\"type\":\"a\"}"[..],
            b"{}\n",
            b"[]\n",
            b"{\"type\":\"a\",\"data_length\":99999999999}\n",
            b"{\"type\":\"a\",\"payload_length\":-1}\n",
            b"{\"type\":\"a\",\"payload_length\":3}\nhi",
            b"{\"type\":\"a\",\"data_length\":2}\n[]",
        ] {
            assert!(read(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
        assert!(read(&vec![b'x'; 100_000]).is_err());
    }

    proptest! {
        #[test]
        fn events_come_back(kind in "[a-z-]{1,12}", text in ".{0,40}", n in any::<u32>(), payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut event = WyomingEvent::new(&kind, serde_json::json!({ "text": text, "n": n }));
            event.payload = payload;
            let mut bytes = Vec::new();
            block_on(event.write(&mut bytes)).unwrap();
            prop_assert_eq!(read(&bytes).unwrap().unwrap(), event);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
            let mut line = br#"{"type":"a","data_length":"#.to_vec();
            line.extend(bytes);
            let _ = read(&line);
        }
    }
}
