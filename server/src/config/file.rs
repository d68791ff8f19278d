//! The configuration file: TOML text into values with the lines they are on.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::load::Given;
use super::problem::{Fault, Origin, Problem};
use super::schema::{self, sections};
use super::value::Raw;

/// Far beyond every setting with a comment; a wrong path such as a disk image ends here.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads the file at `path`. What is wrong goes to `problems`, the rest is returned.
pub(super) fn read(path: &Path, problems: &mut Vec<Problem>) -> Vec<Given> {
    match read_text(path) {
        Ok(text) => parse(path, &text, problems),
        Err(fault) => {
            problems.push(Problem { origin: Origin::File { path: path.to_owned(), line: None }, fault });
            Vec::new()
        }
    }
}

fn read_text(path: &Path) -> Result<String, Fault> {
    let mut text = String::new();
    let file = File::open(path).map_err(Fault::Unreadable)?;
    let length = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(Fault::Unreadable)?;
    if u64::try_from(length).is_ok_and(|length| length <= FILE_BYTES_MAX) {
        Ok(text)
    } else {
        Err(Fault::TooLarge(FILE_BYTES_MAX))
    }
}

pub(super) fn parse(path: &Path, text: &str, problems: &mut Vec<Problem>) -> Vec<Given> {
    let at = |offset: usize| Origin::File { path: path.to_owned(), line: Some(line_at(text, offset)) };
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What the parser could make of broken text is a guess: its values are not looked at.
        problems.extend(errors.into_iter().map(|error| Problem {
            origin: at(error.span().map_or(0, |span| span.start)),
            fault: Fault::Syntax(error.message().to_owned()),
        }));
        return Vec::new();
    }
    let mut given = Vec::new();
    for (name, value) in in_file_order(root.get_ref()) {
        let origin = at(name.span().start);
        let section = sections().find(|section| section == name.get_ref());
        match (section, value.get_ref()) {
            (Some(section), DeValue::Table(table)) => read_section(section, table, at, problems, &mut given),
            (Some(section), _) => problems.push(Problem { origin, fault: Fault::NotATable(section) }),
            (None, DeValue::Table(_)) => {
                problems.push(Problem { origin, fault: Fault::unknown_section(name.get_ref()) });
            }
            (None, _) => {
                problems.push(Problem { origin, fault: Fault::key_without_section(name.get_ref()) });
            }
        }
    }
    given
}

fn read_section(
    section: &'static str,
    table: &DeTable<'_>,
    at: impl Fn(usize) -> Origin,
    problems: &mut Vec<Problem>,
    given: &mut Vec<Given>,
) {
    for (key, value) in in_file_order(table) {
        let origin = at(key.span().start);
        match schema::find(section, key.get_ref()) {
            Some(setting) => given.push(Given { setting, raw: raw(value.get_ref()), origin }),
            None => problems.push(Problem { origin, fault: Fault::unknown_key(section, key.get_ref()) }),
        }
    }
}

/// The parser sorts keys by name; errors are easier to work through from top to bottom.
fn in_file_order<'t, 'i>(
    table: &'t DeTable<'i>,
) -> Vec<(&'t Spanned<toml::de::DeString<'i>>, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.clone().into_owned()),
        DeValue::Integer(integer) => {
            Raw::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok())
        }
        DeValue::Boolean(value) => Raw::Boolean(*value),
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect();
            texts.map_or(Raw::Other("an array of mixed values"), Raw::List)
        }
        DeValue::Float(_) => Raw::Other("a float"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Table(_) => Raw::Other("a table"),
    }
}

/// The line of a byte offset, from 1.
fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

/// Reads one TOML literal, as the table of settings holds its defaults.
pub(super) fn literal(text: &str) -> Result<Raw, io::Error> {
    DeValue::parse(text).map(|value| raw(value.get_ref())).map_err(io::Error::other)
}
