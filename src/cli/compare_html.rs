//! The comparison as a page: the texts word under word, the differences marked.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use earwitness::scoring::{DiffCell, DiffRow, EnglishNormalizer, Mark, diff_texts};
use earwitness::uplink::spool::atomic_write;

use super::compare::{CompareReport, FilePair, verdict};
use super::evaluate::percent;

/// No script, nothing loaded: the page can be mailed and read offline, in light and in dark.
const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
<title>Two recognizers</title>\n<style>\n\
:root { color-scheme: light dark; --line: #8884; --sub: #d9770633; --del: #dc262633; --ins: #2563eb33; }\n\
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }\n\
table.total { border-collapse: collapse; margin: 1rem 0; }\n\
.total td, .total th { border-bottom: 1px solid var(--line); padding: .25rem .8rem .25rem 0; text-align: left; }\n\
section { border-top: 1px solid var(--line); margin-top: 1.5rem; }\n\
h2 { font-size: 1rem; margin: .8rem 0 .3rem; } h2 small { font-weight: normal; opacity: .7; }\n\
.words { display: flex; flex-wrap: wrap; gap: .4rem .25rem; }\n\
.w { display: grid; grid-template-rows: repeat(3, 1.5em); min-width: .6em; }\n\
.w span { padding: 0 .2em; border-radius: .2em; white-space: nowrap; }\n\
.w .r { opacity: .65; } .sub { background: var(--sub); } .ins { background: var(--ins); }\n\
.del { background: var(--del); } .del::before { content: '\\2014'; }\n\
</style></head><body>\n";

/// Writes the page.
pub fn write(path: &Path, report: &CompareReport) -> Result<()> {
    atomic_write(path, page(report).as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

fn page(report: &CompareReport) -> String {
    let mut out = String::from(HEAD);
    let (a, b) = (&report.a, &report.b);
    // Writing to a String does not fail.
    let _ = write!(
        out,
        "<h1>Two recognizers</h1>\n<p>{}</p>\n<table class=\"total\">\
         <tr><th></th><th>A</th><th>B</th></tr>\
         <tr><th>engine</th><td>{}</td><td>{}</td></tr>\
         <tr><th>WER %</th><td>{}</td><td>{}</td></tr>\
         <tr><th>errors</th><td>{} in {} words</td><td>{}</td></tr></table>\n",
        verdict(report),
        escaped(&a.engine),
        escaped(&b.engine),
        percent(a.wer),
        percent(b.wer),
        a.edits.errors(),
        a.edits.reference_words,
        b.edits.errors()
    );
    if let Some(i) = report.comparison.interval {
        let _ = writeln!(
            out,
            "<p>WER difference, B minus A: {} points; {:.0} % interval {} to {}.</p>",
            percent(report.comparison.difference),
            i.confidence * 100.0,
            percent(Some(i.low)),
            percent(Some(i.high))
        );
    }
    out.push_str(
        "<p>Rows: reference, A, B. <span class=\"sub\">another word</span> <span class=\"ins\">a word too many</span> \
         <span class=\"del\"> a word missing</span>. Recordings on which both agree are left out.</p>\n",
    );
    for file in report.files.iter().filter(|f| f.disagreement.edits.errors() > 0 || f.error.is_some()) {
        section(&mut out, file);
    }
    out.push_str("</body></html>\n");
    out
}

fn section(out: &mut String, file: &FilePair) {
    let wer = |edits: Option<earwitness::scoring::EditCounts>| percent(edits.and_then(|e| e.wer()));
    let _ = writeln!(
        out,
        "<section><h2>{} <small>{:.1} s, WER % A {}, B {}</small></h2>",
        escaped(&file.file),
        file.audio_s,
        wer(file.edits_a),
        wer(file.edits_b)
    );
    if let Some(error) = &file.error {
        let _ = writeln!(out, "<p>{}</p></section>", escaped(error));
        return;
    }
    out.push_str("<div class=\"words\">");
    for row in diff_texts(&EnglishNormalizer, file.reference.as_deref(), &file.text_a, &file.text_b) {
        column(out, &row);
    }
    out.push_str("</div></section>\n");
}

fn column(out: &mut String, row: &DiffRow) {
    let reference = escaped(row.reference.as_deref().unwrap_or_default());
    let _ = write!(
        out,
        "<div class=\"w\"><span class=\"r\">{reference}</span>{}{}</div>",
        cell(&row.a),
        cell(&row.b)
    );
}

fn cell(cell: &Option<DiffCell>) -> String {
    let Some(cell) = cell else { return "<span></span>".to_owned() };
    let class = match cell.mark {
        Mark::Equal => "",
        Mark::Substituted => " class=\"sub\"",
        Mark::Deleted => " class=\"del\"",
        Mark::Inserted => " class=\"ins\"",
    };
    format!("<span{class}>{}</span>", escaped(cell.word.as_deref().unwrap_or_default()))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(super::escaped("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
    }
}
