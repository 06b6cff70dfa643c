use std::collections::HashSet;

use scraper::{ElementRef, Html, Selector};

use crate::pages;

#[path = "../../examples/gallery/samples/mod.rs"]
mod samples;

use samples::{HOSTILE, Kind};

/// Every page with every kind of data: what it is, its HTML, the HTML parsed.
fn all() -> Vec<(String, String, Html)> {
    let kinds = [Kind::Empty, Kind::Typical, Kind::Hostile];
    let pages =
        kinds.into_iter().flat_map(|kind| samples::pages(kind).into_iter().map(move |page| (kind, page)));
    pages
        .map(|(kind, (name, html))| {
            let parsed = Html::parse_document(&html);
            (format!("{name}, {kind:?}"), html, parsed)
        })
        .collect()
}

fn select<'a>(page: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

fn text(element: &ElementRef<'_>) -> String {
    element.text().collect::<String>().trim().to_owned()
}

#[test]
fn every_page_is_html_without_a_parse_error() {
    for (name, _, page) in all() {
        assert_eq!(page.errors, [""; 0], "{name}");
    }
}

/// A parser forgives a missing end tag; this does not.
#[test]
fn what_is_opened_is_closed() {
    const VOID: [&str; 5] = ["meta", "link", "input", "br", "img"];
    for (name, html, _) in all() {
        let mut open: Vec<&str> = Vec::new();
        for part in html.split('<').skip(1).filter(|part| !part.starts_with('!')) {
            let tag = part.split(['>', ' ', '\n', '/']).find(|tag| !tag.is_empty()).unwrap();
            if part.starts_with('/') {
                assert_eq!(open.pop(), Some(tag), "{name}");
            } else if !VOID.contains(&tag) && !part.split('>').next().unwrap().ends_with('/') {
                open.push(tag);
            }
        }
        assert_eq!(open, [""; 0], "{name}");
    }
}

#[test]
fn nothing_needs_more_than_the_content_policy_allows() {
    for (name, _, page) in all() {
        assert_eq!(select(&page, "style, [style], iframe, object, embed, base").len(), 0, "{name}");
        for script in select(&page, "script") {
            assert!(script.attr("src").is_some_and(|src| src.starts_with("/static/")), "{name}");
            assert_eq!(text(&script), "", "{name}: a script within the page");
        }
        for element in select(&page, "*") {
            for (attribute, value) in element.value().attrs() {
                assert!(!attribute.starts_with("on"), "{name}: {attribute}");
                if ["href", "src", "action", "formaction", "poster", "srcset", "xlink:href"]
                    .contains(&attribute)
                {
                    let inside = value.is_empty() || value.starts_with('#') || value.starts_with('/');
                    assert!(inside && !value.starts_with("//"), "{name}: {attribute}={value}");
                }
            }
        }
    }
}

#[test]
fn assets_refer_to_nothing_elsewhere_and_every_reference_has_an_asset() {
    for asset in &pages::assets::ASSETS {
        let body = asset.body.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        assert!(
            !body.contains("http:") && !body.contains("https:") && !body.contains("url("),
            "{}",
            asset.path
        );
        assert!(!body.is_empty() && pages::assets::asset(asset.path).is_some());
    }
    for (name, _, page) in all() {
        for element in select(&page, "link[href], script[src]") {
            let address = element.attr("href").or(element.attr("src")).unwrap();
            let path = address.split('?').next().unwrap();
            assert!(pages::assets::asset(path).is_some(), "{name}: {path}");
        }
    }
}

#[test]
fn what_somebody_said_is_shown_as_text() {
    for (name, html) in samples::pages(Kind::Hostile) {
        let page = Html::parse_document(&html);
        assert_eq!(select(&page, "img, b[onclick], script:not([src])").len(), 0, "{name}");
        assert!(!html.contains("<script>") && !html.contains("q7Yk0n5pT2cVb1 {%"), "{name}");
        let shown: String = select(&page, "body")[0].text().collect();
        let attributes: String =
            select(&page, "input, textarea").iter().filter_map(|input| input.attr("value")).collect();
        if !name.starts_with("error") {
            assert!(shown.contains(HOSTILE[0]) || attributes.contains(HOSTILE[0]), "{name}: shown nowhere");
        }
    }
}

/// The text of a page of each kind that shows what people said, with the script tag in that very place.
#[test]
fn transcripts_with_a_script_are_text_where_transcripts_stand() {
    let pages: std::collections::HashMap<_, _> = samples::pages(Kind::Hostile).into_iter().collect();
    for (name, place) in [
        ("search", ".hits .heard"),
        ("device", "td.said"),
        ("adjudicate", ".texts .heard"),
        ("shadow", ".diff"),
    ] {
        let page = Html::parse_document(&pages[name]);
        let places = select(&page, place);
        assert!(!places.is_empty(), "{name}");
        let shown: String = places.iter().map(|place| text(place) + " ").collect();
        let expected = if name == "shadow" { "alert" } else { "<" };
        assert!(shown.contains(expected), "{name}: {shown}");
    }
}

#[test]
fn every_field_has_a_label_and_every_form_that_changes_something_a_token() {
    for (name, _, page) in all() {
        let labelled: HashSet<_> =
            select(&page, "label[for]").iter().filter_map(|label| label.attr("for")).collect();
        for field in select(&page, "input:not([type=hidden]), select, textarea") {
            let label = field.attr("id").is_some_and(|id| labelled.contains(id));
            assert!(
                label || field.attr("aria-label").is_some_and(|label| !label.is_empty()),
                "{name}: {}",
                field.html()
            );
        }
        for form in select(&page, "form") {
            let token =
                form.select(&Selector::parse("input[name=csrf][value=q7Yk0n5pT2cVb1]").unwrap()).count();
            let changes = form.attr("method") == Some("post");
            assert_eq!(token, usize::from(changes), "{name}: {}", form.attr("action").unwrap_or_default());
        }
    }
}

#[test]
fn tables_have_captions_and_heads_with_scope() {
    for (name, _, page) in all() {
        for table in select(&page, "table") {
            let count = |selector: &str| table.select(&Selector::parse(selector).unwrap()).count();
            assert_eq!(count("caption"), 1, "{name}: {}", text(&table));
            assert_eq!((count("th:not([scope])"), count("thead") > 0), (0, true), "{name}: {}", text(&table));
        }
    }
}

#[test]
fn plots_have_names_and_a_table_beside() {
    for (name, _, page) in all() {
        for plot in select(&page, "svg.plot") {
            assert!(
                plot.attr("role") == Some("img") && plot.attr("aria-label").is_some_and(|l| !l.is_empty()),
                "{name}"
            );
        }
        for figure in select(&page, "figure.metric") {
            assert_eq!(figure.select(&Selector::parse("svg.plot title").unwrap()).count(), 1, "{name}");
            assert_eq!(figure.select(&Selector::parse("svg.plot desc").unwrap()).count(), 1, "{name}");
            assert!(figure.select(&Selector::parse("details table tbody").unwrap()).count() == 1, "{name}");
        }
    }
}

#[test]
fn pages_have_one_heading_landmarks_and_ids_that_are_unique() {
    for (name, _, page) in all() {
        for selector in
            ["h1", "main", "header.top", "footer.bottom", "a.skip[href='#content']", "title", "html[lang]"]
        {
            let found = select(&page, selector);
            let outside = found.iter().filter(|e| {
                !e.ancestors().any(|a| a.value().as_element().is_some_and(|a| a.name() == "svg"))
            });
            assert_eq!(outside.count(), 1, "{name}: {selector}");
        }
        let ids: Vec<_> = select(&page, "[id]").iter().filter_map(|element| element.attr("id")).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{name}: {ids:?}");
        for element in select(&page, "[aria-labelledby], [aria-describedby]") {
            let target = element.attr("aria-labelledby").or(element.attr("aria-describedby")).unwrap();
            assert!(ids.contains(&target), "{name}: {target}");
        }
        let regions = select(&page, "[tabindex='0']");
        assert!(
            regions.iter().all(|r| r.attr("aria-label").or(r.attr("aria-labelledby")).is_some()),
            "{name}"
        );
    }
}

#[test]
fn a_language_that_is_none_does_not_reach_the_attribute() {
    let languages = |kind| -> HashSet<String> {
        let pages = samples::pages(kind).into_iter().map(|(_, html)| Html::parse_document(&html));
        pages
            .flat_map(|page| {
                select(&page, "[lang]")
                    .iter()
                    .filter_map(|e| e.attr("lang").map(str::to_owned))
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    assert_eq!(languages(Kind::Hostile), HashSet::from(["en".to_owned()]));
}

#[test]
fn figures_that_are_no_numbers_are_shown_as_unknown() {
    for (name, html) in samples::pages(Kind::Hostile) {
        let page = Html::parse_document(&html);
        let shown: String = select(&page, "body")[0].text().collect();
        for word in ["NaN", "inf ", "-inf"] {
            assert!(!shown.contains(word), "{name}: {word}");
        }
    }
}

#[test]
fn empty_pages_say_what_to_do_next() {
    let told =
        ["fleet", "live", "shadow", "adjudicate", "search", "device", "privacy", "admin", "search-begin"];
    for (name, html) in samples::pages(Kind::Empty).into_iter().filter(|(name, _)| told.contains(name)) {
        let page = Html::parse_document(&html);
        let empty = select(&page, ".empty");
        assert!(!empty.is_empty() && empty.iter().all(|part| text(part).len() > 10), "{name}");
    }
}

#[test]
fn a_verdict_differs_in_word_and_sign_and_only_an_open_one_says_what_is_missing() {
    let pages: std::collections::HashMap<_, _> = samples::pages(Kind::Typical).into_iter().collect();
    let mut seen = HashSet::new();
    for name in ["shadow", "shadow-better", "shadow-not-worse", "shadow-worse"] {
        let page = Html::parse_document(&pages[name]);
        let judgement = select(&page, ".judgement .big");
        assert!(seen.insert(text(&judgement[0])), "{name}");
        assert_eq!(select(&page, ".judgement .missing").len(), usize::from(name == "shadow"), "{name}");
        assert_eq!(select(&page, ".judgement.undecided").len(), usize::from(name == "shadow"), "{name}");
    }
    assert!(seen.iter().any(|verdict| verdict.contains("Not decided")));
}

#[test]
fn a_verdict_without_an_interval_is_shown_as_not_decided() {
    let mut page = samples::shadow(Kind::Typical, pages::Verdict::Better);
    page.detail.as_mut().unwrap().wer.difference = None;
    let page = Html::parse_document(&pages::Template::render(&page).unwrap());
    assert_eq!(select(&page, ".judgement.undecided").len(), 1);
}

#[test]
fn what_a_person_may_not_do_is_not_offered() {
    let html = |role| {
        let mut page = samples::privacy(Kind::Typical);
        page.shell.who = Some(pages::Who { name: "jan".into(), role });
        pages::Template::render(&page).unwrap()
    };
    let (viewer, admin) = (html(pages::Role::Viewer), html(pages::Role::Admin));
    for part in ["/privacy/erase", "Audit log", "\"/admin\"", "\"/adjudicate\""] {
        assert!(admin.contains(part) && !viewer.contains(part), "{part}");
    }
}
