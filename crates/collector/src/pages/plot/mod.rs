//! Plots as SVG, drawn on the server.
//!
//! Ours and not a library's, after a look at two. `plotters` writes colours as attributes on elements without classes, so
//! dark mode would hang on sentinel colours, and has no place for titles, descriptions and roles; `poloto` can be styled
//! from CSS, through a style element that the content policy forbids, and draws no bands. What is needed here is small:
//! scales, a band with gaps, shares, intervals, sparklines.
//!
//! Every element has a class and no colour: `static/app.css` has the colours, for light, dark and print. Every plot says
//! in `<title>` what it shows and in `<desc>` what is to be seen; the page puts the same figures in a table beside it.

mod band;
mod interval;
mod scale;
mod shares;
mod sparkline;
#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};

pub use band::band;
pub use interval::{IntervalScale, interval, interval_axis};
pub use shares::shares;
pub use sparkline::sparkline;

/// A drawing, ready to stand in a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Svg(String);

impl fmt::Display for Svg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Texts within were escaped when they were drawn.
impl askama::filters::HtmlSafe for Svg {}

/// The time range of a plot's x axis, and how wide one of its points is.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Begin, ms since 1970-01-01 UTC.
    pub from_unix_ms: u64,
    /// End.
    pub to_unix_ms: u64,
    /// Width of a bucket, ms.
    pub step_ms: u64,
}

/// Where a text stands to its point.
#[derive(Clone, Copy)]
enum Anchor {
    Middle,
    End,
}

/// Elements one after the other; coordinates in px of the view box.
struct Drawing {
    out: String,
}

impl Drawing {
    /// An image with a name and a description.
    fn image(class: &str, width: f64, height: f64, title: &str, description: &str) -> Self {
        let mut drawing = Self { out: String::new() };
        let name = escaped(title);
        drawing.write(format_args!(
            "<svg class=\"plot {class}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{name}\"><title>{name}</title>",
            px(width),
            px(height)
        ));
        if !description.is_empty() {
            drawing.write(format_args!("<desc>{}</desc>", escaped(description)));
        }
        drawing
    }

    fn write(&mut self, part: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.out.write_fmt(part);
    }

    fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.write(format_args!(
            "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            px(x1),
            px(y1),
            px(x2),
            px(y2)
        ));
    }

    fn rect(&mut self, class: &str, corner: (f64, f64), size: (f64, f64)) {
        self.write(format_args!(
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            px(corner.0),
            px(corner.1),
            px(size.0.max(0.0)),
            px(size.1.max(0.0))
        ));
    }

    fn circle(&mut self, class: &str, centre: (f64, f64), radius: f64) {
        self.write(format_args!(
            "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>",
            px(centre.0),
            px(centre.1),
            px(radius)
        ));
    }

    /// A line through `points`, or an area if it is `closed`.
    fn path(&mut self, class: &str, points: &[(f64, f64)], closed: bool) {
        let mut d = String::new();
        for (index, (x, y)) in points.iter().enumerate() {
            let _ = write!(d, "{}{} {}", if index == 0 { "M" } else { "L" }, px(*x), px(*y));
        }
        let end = if closed { "Z" } else { "" };
        self.write(format_args!("<path class=\"{class}\" d=\"{d}{end}\"/>"));
    }

    fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        self.write(format_args!(
            "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            px(at.0),
            px(at.1),
            escaped(text)
        ));
    }

    fn finish(mut self) -> Svg {
        self.out.push_str("</svg>");
        Svg(self.out)
    }
}

/// A coordinate to a tenth, which is less than a pixel can show. What is no number is drawn at 0 and never reaches here.
fn px(value: f64) -> String {
    let rounded = if value.is_finite() { (value * 10.0).round() / 10.0 } else { 0.0 };
    format!("{}", rounded + 0.0)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}
