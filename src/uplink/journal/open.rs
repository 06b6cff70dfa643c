//! What is there when a journal is opened, whatever happened before.

use super::disk::Disk;
use super::index::{Index, Segment};
use super::segment::{Frames, HEADER_BYTES, Header, first_of};
use super::state::{STATE_FILE, State, stream_from_text};
use super::{JournalError, JournalOptions, unsealed};
use crate::telemetry::LossReason;
use crate::uplink::spool::seal::{is_sealed, random_id};

/// A segment file and its header, if that is whole.
struct Found {
    segment: Segment,
    header: Option<Header>,
}

/// Reads state and segments, and takes for lost what neither accounts for.
pub(super) fn open(disk: &dyn Disk, options: &JournalOptions) -> Result<Index, JournalError> {
    let state = read_state(disk)?;
    let mut found = find(disk)?;
    let known = state.as_ref().and_then(|state| stream_from_text(&state.stream_id));
    let named = || found.iter().rev().find_map(|f| f.header).map(|header| header.stream);
    let mut index = Index::new(known.or_else(named).unwrap_or_else(random_id));
    let foreign = found.iter().find(|f| f.header.is_some_and(|h| h.stream != index.stream));
    if let Some(foreign) = foreign {
        return Err(JournalError::Foreign(foreign.segment.name()));
    }
    check_key(disk, options, &index, &found)?;

    match state {
        Some(state) => {
            index.high_water = state.high_water;
            index.next = state.reached + 1;
            index.lost_total = state.lost_total;
            index.lost = super::lost::LostRanges::new(state.lost);
            index.lost.forget_through(state.high_water);
        }
        None => {
            // The server knows better, and says so when it is asked to go on from here.
            index.high_water = found.first().map_or(0, |oldest| oldest.segment.first - 1);
            index.next = index.high_water + 1;
        }
    }
    // Forces the first write: an id that is not on disk could be another after a crash.
    index.changes = 1;
    index.durable = index.high_water;

    let tail = found.last_mut().map(|last| read_tail(disk, last)).transpose()?;
    if let (Some(tail), Some(last)) = (&tail, found.last_mut()) {
        last.segment.last = tail.last;
        // What a torn write left was a record, and no other may have its sequence.
        let torn = u64::from(tail.torn && index.next <= tail.last + 1);
        index.next = index.next.max(tail.last + 1).max(last.segment.first) + torn;
    }
    let first = found.first().map_or(index.next, |oldest| oldest.segment.first);
    // Only caps and a full disk delete at the front; which of them it was went down with the state.
    index.lose(1, first - 1, LossReason::Unknown);
    let last = tail.as_ref().map_or(index.next - 1, |tail| tail.last);
    index.lose(last + 1, index.next - 1, LossReason::Corrupt);

    index.made = 1;
    index.segments = found.iter().map(|f| f.segment.clone()).collect();
    drop_accounted(&mut index);
    let newest = found.last().filter(|f| f.header.is_some()).map(|f| f.segment.first);
    if let (Some(tail), Some(last)) = (tail, index.segments.back_mut().filter(|s| Some(s.first) == newest)) {
        // Names are in the order of what they hold. A later segment that was deleted must not come back once this one has
        // grown beyond its name.
        if disk.sync_folder().is_ok() {
            index.file = Some(disk.reopen(&last.name(), tail.end).map_err(JournalError::disk("open"))?);
            last.bytes = tail.end;
        }
    }
    Ok(index)
}

fn read_state(disk: &dyn Disk) -> Result<Option<State>, JournalError> {
    match disk.read(STATE_FILE, 16 << 20) {
        Ok(bytes) => {
            let state = State::decode(&bytes);
            if state.is_none() {
                tracing::warn!(
                    "the state of the telemetry journal is damaged: it is made anew from its segments"
                );
            }
            Ok(state)
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(JournalError::disk("read")(e)),
    }
}

/// All segments, oldest first. One that others follow is taken to hold all up to the next: what it lacks shows when it is
/// read, as any damage since would.
fn find(disk: &dyn Disk) -> Result<Vec<Found>, JournalError> {
    let files = disk.list().map_err(JournalError::disk("list"))?;
    let mut files: Vec<(u64, u64)> =
        files.into_iter().filter_map(|(name, bytes)| Some((first_of(&name)?, bytes))).collect();
    files.sort_unstable();
    let nexts = files.iter().skip(1).map(|(first, _)| *first).chain([0]);
    let found = files.iter().zip(nexts).map(|(&(first, bytes), next)| {
        let mut segment = Segment {
            first,
            last: next.saturating_sub(1).max(first - 1),
            bytes,
            synced_bytes: 0,
            created_unix_ms: 0,
            suspect: false,
        };
        let head = disk.read(&segment.name(), HEADER_BYTES as u64).map_err(JournalError::disk("read"))?;
        let header = Header::decode(&head);
        segment.created_unix_ms = header.map_or(0, |header| header.created_unix_ms);
        Ok(Found { segment, header })
    });
    found.collect()
}

/// The end of the last segment.
struct Tail {
    /// Sequence of its last whole record.
    last: u64,
    /// Where that ends.
    end: u64,
    /// Something follows.
    torn: bool,
}

fn read_tail(disk: &dyn Disk, found: &Found) -> Result<Tail, JournalError> {
    let segment = &found.segment;
    let bytes = disk.read(&segment.name(), segment.bytes).map_err(JournalError::disk("read"))?;
    let whole = Frames::new(&bytes, segment.first).last();
    let (last, end) = whole.map_or((segment.first - 1, HEADER_BYTES), |frame| (frame.sequence, frame.end));
    Ok(Tail { last, end: end as u64, torn: bytes.len() > end })
}

/// Segments without a record that is still wanted: their deletion was interrupted, or they never got one.
fn drop_accounted(index: &mut Index) {
    let segments = std::mem::take(&mut index.segments);
    for segment in segments {
        let first = segment.first.max(index.high_water + 1);
        let wanted =
            segment.last >= first && index.lost.count_within(first, segment.last) < segment.last + 1 - first;
        if wanted { index.segments.push_back(segment) } else { index.doomed.push(segment) }
    }
}

/// Refuses a key that opens nothing: going on would call every record damaged.
fn check_key(
    disk: &dyn Disk,
    options: &JournalOptions,
    index: &Index,
    found: &[Found],
) -> Result<(), JournalError> {
    for Found { segment, .. } in found.iter().rev() {
        let bytes = disk.read(&segment.name(), segment.bytes).map_err(JournalError::disk("read"))?;
        let mut sealed =
            Frames::new(&bytes, segment.first).filter(|frame| is_sealed(frame.payload)).peekable();
        if sealed.peek().is_some() {
            let opens = |f: super::segment::Frame<'_>| {
                unsealed(options.key.as_ref(), &index.stream, f.sequence, f.payload).is_some()
            };
            return if sealed.any(opens) { Ok(()) } else { Err(JournalError::Sealed) };
        }
        if Frames::new(&bytes, segment.first).next().is_some() {
            return Ok(());
        }
    }
    Ok(())
}
