//! Two aligned texts as they are shown: word above word, and once more in words for screen readers.

use earwitness_scoring::{DiffCell, DiffRow, Mark};

/// A column of the drawing: what the primary heard above what the shadow heard.
pub(crate) struct Cell<'a> {
    /// `equal`, `substituted`, `deleted` (only the primary) or `inserted` (only the shadow).
    pub(crate) class: &'static str,
    /// Upper word; empty where there is none.
    pub(crate) primary: &'a str,
    /// Lower word.
    pub(crate) shadow: &'a str,
}

/// Columns of rows that [`earwitness_scoring::diff_texts`] made of primary and shadow without a reference.
pub(crate) fn cells(rows: &[DiffRow]) -> Vec<Cell<'_>> {
    rows.iter().map(cell).collect()
}

fn cell(row: &DiffRow) -> Cell<'_> {
    let (primary, shadow) = (word(row.a.as_ref()), word(row.b.as_ref()));
    let class = match row.b.as_ref().map(|cell| cell.mark) {
        Some(Mark::Equal) => "equal",
        Some(Mark::Substituted) => "substituted",
        Some(Mark::Deleted) | None => "deleted",
        Some(Mark::Inserted) => "inserted",
    };
    Cell { class, primary, shadow }
}

fn word(cell: Option<&DiffCell>) -> &str {
    cell.and_then(|cell| cell.word.as_deref()).unwrap_or_default()
}

/// The text read once, with what differs spelled out: `two large [primary: teas; shadow: trees]`.
pub(crate) fn spoken(rows: &[DiffRow]) -> Vec<String> {
    let cells = cells(rows);
    let runs = cells.chunk_by(|a, b| a.class == b.class);
    runs.map(|run| {
        let join = |pick: fn(&Cell<'_>) -> String| {
            run.iter().map(pick).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
        };
        let (primary, shadow) = (join(|cell| cell.primary.to_owned()), join(|cell| cell.shadow.to_owned()));
        match run[0].class {
            "equal" => primary,
            "deleted" => format!("[only primary: {primary}]"),
            "inserted" => format!("[only shadow: {shadow}]"),
            _ => format!("[primary: {primary}; shadow: {shadow}]"),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use earwitness_scoring::{BasicNormalizer, diff_texts};

    use super::*;

    #[test]
    fn words_stand_under_each_other_and_differences_are_named() {
        let rows =
            diff_texts(&BasicNormalizer::default(), None, "two large teas please", "um two large trees");
        let classes: Vec<_> = cells(&rows).iter().map(|cell| cell.class).collect();
        assert_eq!(classes, ["inserted", "equal", "equal", "substituted", "deleted"]);
        let expected =
            ["[only shadow: um]", "two large", "[primary: teas; shadow: trees]", "[only primary: please]"];
        assert_eq!(spoken(&rows), expected);
    }

    #[test]
    fn without_words_there_is_nothing_to_show() {
        assert!(cells(&[]).is_empty() && spoken(&[]).is_empty());
    }
}
