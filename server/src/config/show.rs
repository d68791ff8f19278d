//! Settings as text: `config defaults` (a complete file to start from) and `config check` (what is in force).

use std::fmt::Write as _;

use super::Config;
use super::load::Loaded;
use super::problem::Origin;
use super::schema::{Reload, SETTINGS, sections};

/// Width of a comment line, so that the file reads well in a terminal of 100 columns.
const COMMENT_COLUMNS: usize = 96;

/// A configuration file with every setting at its default, and for each its meaning, unit and range.
#[must_use]
pub fn defaults() -> String {
    let mut text = String::from(
        "# Every setting of corecast with its default. Each can be overridden by the environment variable\n\
         # CORECAST_SECTION__KEY (for example CORECAST_LIMITS__PER_USER=3), and some by a flag.\n",
    );
    for section in sections() {
        let _ = write!(text, "\n[{section}]\n");
        for setting in SETTINGS.iter().filter(|setting| setting.section == section) {
            comment(&mut text, setting.doc);
            let default =
                setting.default.map_or("not set".to_owned(), |default| format!("default {default}"));
            let reload = match setting.reload {
                Reload::Applies => "Follows a reload.",
                Reload::NeedsRestart => "Needs a restart.",
            };
            comment(&mut text, &format!("Takes {}; {default}. {reload}", setting.allowed()));
            let _ = match setting.default {
                Some(default) => writeln!(text, "{} = {default}", setting.key),
                None => writeln!(text, "#{} = \"\"", setting.key),
            };
        }
    }
    text
}

/// The settings in force, each with where it came from unless that is the default. Secrets are not shown.
#[must_use]
pub fn in_force(loaded: &Loaded) -> String {
    let mut config = loaded.config.clone();
    let mut text = String::new();
    let mut section = "";
    for (setting, origin) in SETTINGS.iter().zip(&loaded.origins) {
        let Some(value) = setting.read(&mut config) else { continue };
        if setting.section != section {
            section = setting.section;
            let _ = writeln!(text, "{}[{section}]", if text.is_empty() { "" } else { "\n" });
        }
        let _ = write!(text, "{} = {value}", setting.key);
        let _ = match origin {
            Origin::Default => writeln!(text),
            origin => writeln!(text, "  # {origin}"),
        };
    }
    text
}

/// The settings in force by section and key, for machines. Secrets are not shown; what is not set is null.
#[must_use]
pub fn in_force_json(config: &Config) -> serde_json::Value {
    let mut config = config.clone();
    let mut shown = serde_json::Map::new();
    for setting in SETTINGS {
        let value = match setting.read(&mut config) {
            None => serde_json::Value::Null,
            Some(_) if setting.is_secret() => "(secret)".into(),
            // The literals of this table are JSON too: numbers, booleans, strings, lists of strings.
            Some(literal) => serde_json::from_str(&literal).unwrap_or_else(|_| literal.into()),
        };
        let section = shown.entry(setting.section).or_insert_with(|| serde_json::Map::new().into());
        section[setting.key] = value;
    }
    shown.into()
}

/// Appends `sentence` as comment lines.
fn comment(text: &mut String, sentence: &str) {
    let mut line = String::from("#");
    for word in sentence.split(' ') {
        if line.len() + 1 + word.len() > COMMENT_COLUMNS {
            let _ = writeln!(text, "{line}");
            line = String::from("#");
        }
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(text, "{line}");
}
