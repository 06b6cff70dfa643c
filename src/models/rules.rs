//! What a catalogue must satisfy beyond its types, and which names may become folders.
//!
//! A catalogue may be a file somebody else wrote, so nothing in it may leave the store's folder, become an option of pip
//! or point at a scheme other than HTTP.

use std::collections::BTreeSet;

use super::catalog::{Catalog, HubSource, ModelEntry, Source, WheelSource};
use super::error::ModelError;

/// The first broken rule, in words.
pub(crate) fn check(catalog: &Catalog) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for model in &catalog.models {
        let at = |problem: String| format!("model `{}`: {problem}", model.name);
        name_rule(&model.name).map_err(|why| at(why.to_owned()))?;
        if !names.insert(model.name.as_str()) {
            return Err(at("is listed twice".into()));
        }
        check_model(model).map_err(at)?;
    }
    match catalog.models.iter().filter(|m| m.default).count() {
        1 => Ok(()),
        n => Err(format!("{n} models are marked `default`, expected exactly one")),
    }
}

/// Refuses names that are not a plain file name in lower case.
///
/// # Errors
/// [`ModelError::BadName`].
pub(crate) fn require_model_name(name: &str) -> Result<(), ModelError> {
    name_rule(name).map_err(|why| ModelError::BadName { name: name.to_owned(), why })
}

fn name_rule(name: &str) -> Result<(), &'static str> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    if !name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        || !name.chars().all(allowed)
        || name.len() > 64
    {
        return Err("use a-z, 0-9, `.`, `-`, `_`, beginning with a letter or digit, at most 64 characters");
    }
    Ok(())
}

fn check_model(model: &ModelEntry) -> Result<(), String> {
    if model.files.is_empty() {
        return Err("has no files".into());
    }
    let mut files = BTreeSet::new();
    for file in &model.files {
        if !plain_file_name(&file.name) {
            return Err(format!("`{}` is not a plain file name", file.name));
        }
        if !files.insert(file.name.as_str()) {
            return Err(format!("file `{}` is listed twice", file.name));
        }
    }
    for source in &model.sources {
        let origin = source.describe();
        if source.file_names() != files {
            return Err(format!("{origin} does not name exactly this model's files"));
        }
        check_source(source).map_err(|why| format!("{origin}: {why}"))?;
    }
    Ok(())
}

/// One path component that no tool here uses for itself.
fn plain_file_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(allowed)
        && !name.ends_with(super::fetch::PART_SUFFIX)
        && name != super::manifest::FILE_NAME
        && name != super::fetch::WHEEL_FOLDER
}

fn check_source(source: &Source) -> Result<(), String> {
    match source {
        Source::Hub(hub) => check_hub(hub),
        Source::Wheel(wheel) => check_wheel(wheel),
        Source::Url(url) => {
            match url.files.values().find(|u| !u.starts_with("https://") && !u.starts_with("http://")) {
                Some(bad) => Err(format!("`{bad}` is not an http or https address")),
                None => Ok(()),
            }
        }
    }
}

fn check_hub(hub: &HubSource) -> Result<(), String> {
    let parts: Vec<_> = hub.repo.split('/').collect();
    if parts.len() != 2 || !parts.iter().all(|p| token(p)) {
        return Err("`repo` is not organization/name".into());
    }
    let paths = hub.files.values().map(String::as_str).chain([hub.revision.as_str()]);
    for path in paths {
        if !path.split('/').all(token) {
            return Err(format!("`{path}` is not a plain path"));
        }
    }
    Ok(())
}

fn check_wheel(wheel: &WheelSource) -> Result<(), String> {
    for package in &wheel.packages {
        let words = [Some(&package.name), Some(&package.version), package.platform.as_ref()];
        if let Some(bad) = words.into_iter().flatten().find(|w| !token(w)) {
            return Err(format!("`{bad}` is not a package name, version or platform"));
        }
    }
    for (file, parts) in &wheel.files {
        if parts.is_empty() {
            return Err(format!("`{file}` has no members"));
        }
        if let Some(part) = parts.iter().find(|part| !wheel.packages.iter().any(|p| p.name == part.package)) {
            return Err(format!(
                "`{file}` is taken from `{}`, which is not among its packages",
                part.package
            ));
        }
    }
    Ok(())
}

/// A word that cannot be an option, a parent folder or shell syntax.
fn token(word: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '!');
    word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(allowed)
}

/// Levenshtein distance in characters.
pub(crate) fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let best = (diagonal + usize::from(ca != *cb)).min(*cell + 1).min(left + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
