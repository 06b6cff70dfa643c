//! A Parquet file as Hugging Face's `datasets` writes and reads them: audio is a group of `bytes`, the FLAC file, and `path`,
//! and the file's metadata say which column is audio, so that `load_dataset("parquet", …)` decodes it.
//!
//! Written with the columns as they are, without Arrow, which would triple what there is to compile. Not compressed: FLAC
//! cannot be made smaller, and texts repeat little but for columns that a dictionary takes care of.

use std::io::Write;
use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::ColumnPath;

use super::{ExportError, ExportRow, ExportSummary};

/// The columns, in the order in which [`write_group`] writes them.
const SCHEMA: &str = "
message utterances {
    optional group audio {
        optional binary bytes;
        optional binary path (string);
    }
    optional binary text (string);
    optional binary text_source (string);
    required binary device_id (string);
    required binary utterance_id (string);
    optional binary speaker (string);
    required int64 recorded_unix_ms;
    required double duration_s;
    required int32 sample_rate_hz;
    optional binary language (string);
    optional binary reference (string);
    optional binary primary_text (string);
    optional binary shadow_text (string);
    optional binary primary_engine (string);
    optional binary shadow_engine (string);
    required binary attributes_json (string);
}";

/// Rows and bytes of audio that are held before they are written as one group. `datasets` and its viewer read whole groups, and
/// write 100 rows of audio to one.
const GROUP_ROWS: usize = 100;
const GROUP_BYTES: usize = 32 << 20;

/// Writes one file to a `Write`, group by group. Takes rows without audio or text too.
pub struct ParquetExport<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    group: Vec<ExportRow>,
    group_bytes: usize,
    summary: ExportSummary,
}

impl<W: Write + Send> ParquetExport<W> {
    /// Into `output`, which needs no `Seek`.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn new(output: W) -> Result<Self, ExportError> {
        let schema = Arc::new(parse_message_type(SCHEMA)?);
        let bytes = ColumnPath::from(vec!["audio".to_owned(), "bytes".to_owned()]);
        let properties = WriterProperties::builder()
            .set_compression(Compression::UNCOMPRESSED)
            .set_column_dictionary_enabled(bytes.clone(), false)
            .set_column_statistics_enabled(bytes, EnabledStatistics::None)
            .set_key_value_metadata(Some(vec![KeyValue::new("huggingface".to_owned(), features())]))
            .set_created_by(concat!("earwitness ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = SerializedFileWriter::new(output, schema, Arc::new(properties))?;
        Ok(Self { writer, group: Vec::new(), group_bytes: 0, summary: ExportSummary::default() })
    }

    /// Adds one utterance.
    ///
    /// # Errors
    ///
    /// For a row that should not be there, and when a group cannot be written.
    pub fn add(&mut self, row: ExportRow) -> Result<(), ExportError> {
        row.check()?;
        self.group_bytes += row.flac.as_ref().map_or(0, Vec::len);
        self.group.push(row);
        self.summary.rows += 1;
        if self.group.len() >= GROUP_ROWS || self.group_bytes >= GROUP_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what is left and the footer, and gives the output back.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<(ExportSummary, W), ExportError> {
        self.flush()?;
        Ok((self.summary, self.writer.into_inner()?))
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        if !self.group.is_empty() {
            let mut group = self.writer.next_row_group()?;
            write_group(&mut group, std::mem::take(&mut self.group))?;
            group.close()?;
            self.group_bytes = 0;
        }
        Ok(())
    }
}

/// What `datasets` keeps under the key `huggingface`: the type of each column.
fn features() -> String {
    let columns = [
        ("text", "string"),
        ("text_source", "string"),
        ("device_id", "string"),
        ("utterance_id", "string"),
        ("speaker", "string"),
        ("recorded_unix_ms", "int64"),
        ("duration_s", "float64"),
        ("sample_rate_hz", "int32"),
        ("language", "string"),
        ("reference", "string"),
        ("primary_text", "string"),
        ("shadow_text", "string"),
        ("primary_engine", "string"),
        ("shadow_engine", "string"),
        ("attributes_json", "string"),
    ];
    let mut features = serde_json::Map::new();
    features.insert("audio".to_owned(), serde_json::json!({ "_type": "Audio" }));
    for (name, kind) in columns {
        features.insert(name.to_owned(), serde_json::json!({ "dtype": kind, "_type": "Value" }));
    }
    serde_json::json!({ "info": { "features": features } }).to_string()
}

fn write_group<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    mut rows: Vec<ExportRow>,
) -> Result<(), ParquetError> {
    let texts: Vec<_> = rows.iter().map(ExportRow::text).collect();
    // An audio group is there (level 1 of 2) where its bytes are.
    let paths: Vec<_> = rows.iter().map(|row| row.flac.as_ref().map(|_| file_name(row))).collect();
    let bytes: Vec<_> = rows.iter_mut().map(|row| row.flac.take()).collect();
    optional(group, 2, bytes.into_iter())?;
    optional(group, 2, paths.into_iter())?;
    optional(group, 1, texts.iter().map(|text| text.as_ref().map(|(text, _)| text.as_str())))?;
    optional(group, 1, texts.iter().map(|text| text.as_ref().map(|(_, source)| source.name())))?;
    strings(group, rows.iter().map(|row| row.device_id.as_str()))?;
    strings(group, rows.iter().map(|row| row.utterance_id.as_str()))?;
    optional(group, 1, rows.iter().map(|row| row.subject_id.as_deref()))?;
    let times: Vec<_> =
        rows.iter().map(|row| i64::try_from(row.recorded_unix_ms).unwrap_or(i64::MAX)).collect();
    column::<_, Int64Type>(group, &times, None)?;
    let durations: Vec<_> = rows.iter().map(|row| row.duration_s).collect();
    column::<_, DoubleType>(group, &durations, None)?;
    let rates: Vec<_> =
        rows.iter().map(|row| i32::try_from(row.sample_rate_hz).unwrap_or(i32::MAX)).collect();
    column::<_, Int32Type>(group, &rates, None)?;
    optional(group, 1, rows.iter().map(|row| row.language.as_deref()))?;
    optional(group, 1, rows.iter().map(|row| row.reference.as_deref()))?;
    optional(group, 1, rows.iter().map(|row| row.primary_text.as_deref()))?;
    optional(group, 1, rows.iter().map(|row| row.shadow_text.as_deref()))?;
    optional(group, 1, rows.iter().map(|row| row.primary_engine.as_deref()))?;
    optional(group, 1, rows.iter().map(|row| row.shadow_engine.as_deref()))?;
    let attributes: Vec<_> = rows.iter().map(|row| serde_json::json!(row.attributes).to_string()).collect();
    strings(group, attributes.iter().map(String::as_str))
}

fn file_name(row: &ExportRow) -> Vec<u8> {
    format!("{}_{}.flac", row.device_id, row.utterance_id).into_bytes()
}

/// A column with a value in every row.
fn strings<'a, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: impl Iterator<Item = &'a str>,
) -> Result<(), ParquetError> {
    let values: Vec<ByteArray> = values.map(ByteArray::from).collect();
    column::<_, ByteArrayType>(group, &values, None)
}

/// A column whose value, where there is one, stands at definition level `level`.
fn optional<V: Into<Vec<u8>>, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    level: i16,
    values: impl Iterator<Item = Option<V>>,
) -> Result<(), ParquetError> {
    let (mut present, mut levels) = (Vec::new(), Vec::new());
    for value in values {
        levels.push(if value.is_some() { level } else { 0 });
        present.extend(value.map(|value| ByteArray::from(value.into())));
    }
    column::<_, ByteArrayType>(group, &present, Some(&levels))
}

fn column<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let mut column =
        group.next_column()?.ok_or_else(|| ParquetError::General("a column too many".to_owned()))?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}
