//! What is wrong with a configuration, and where: collected, so that the operator sees all of it at once.

use std::fmt;
use std::io;
use std::path::PathBuf;

use strsim::damerau_levenshtein;
use thiserror::Error;

use super::keys::KeyError;
use super::rights;
use super::schema::{SETTINGS, sections};
use super::value::ValueError;

/// Where a value came from. Later ones win.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The table of settings.
    #[default]
    Default,
    /// What `corecast dev` sets.
    Dev,
    /// The configuration file; lines count from 1.
    File {
        /// As the operator named it.
        path: PathBuf,
        /// Where in it, if that is known.
        line: Option<usize>,
    },
    /// An environment variable.
    Env(String),
    /// A flag, with its hyphens.
    Flag(&'static str),
}

/// One error.
#[derive(Debug)]
pub struct Problem {
    /// Where it is.
    pub origin: Origin,
    /// What it is.
    pub fault: Fault,
}

/// What can be wrong.
#[derive(Debug, Error)]
pub enum Fault {
    /// The file cannot be read.
    #[error("cannot be read: {0}{remedy}", remedy = rights::remedy(.0))]
    Unreadable(#[source] io::Error),
    /// The file is larger than any configuration.
    #[error("is larger than {0} bytes")]
    TooLarge(u64),
    /// The file is no TOML.
    #[error("{0}")]
    Syntax(String),
    /// A section that does not exist.
    #[error("unknown section [{name}]: the nearest is [{nearest}]")]
    UnknownSection {
        /// As written.
        name: String,
        /// The one that is probably meant.
        nearest: String,
    },
    /// A section's name with a plain value.
    #[error("{0} is a section: write [{0}] and its settings below")]
    NotATable(&'static str),
    /// A key that does not exist.
    #[error("unknown key {name}: the nearest is {nearest}")]
    UnknownKey {
        /// As written, with its section.
        name: String,
        /// The one that is probably meant.
        nearest: String,
    },
    /// A value that its setting does not take.
    #[error("{name} = {value} {reason}")]
    Value {
        /// `section.key`
        name: String,
        /// As written; `<set>` for a secret.
        value: String,
        /// What is allowed.
        reason: ValueError,
    },
    /// An environment variable that is not text.
    #[error("is not valid UTF-8")]
    NotUtf8,
    /// Two settings that cannot be together.
    #[error("{0}")]
    Pair(String),
    /// A setting of which this command needs one.
    #[error("no key: set {0}")]
    NoKey(&'static str),
    /// Key material that cannot be used.
    #[error("{name} = {value}: {cause}")]
    Key {
        /// `section.key`
        name: &'static str,
        /// The path.
        value: String,
        /// Why.
        #[source]
        cause: KeyError,
    },
    /// A key set that cannot be had.
    #[error("{0}")]
    KeySet(#[source] KeyError),
    /// Key material that no token can be verified with.
    #[error("{name}: {cause}")]
    KeyContent {
        /// `section.key`
        name: &'static str,
        /// Why.
        #[source]
        cause: corecast_core::auth::KeyError,
    },
}

/// All errors of a configuration, at least one.
#[derive(Debug, Error)]
pub struct Problems(pub Vec<Problem>);

/// What is allowed but probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where the value came from.
    pub origin: Origin,
    /// What may go wrong, and what to do.
    pub text: String,
}

impl Fault {
    pub(super) fn unknown_section(name: &str) -> Self {
        let nearest = nearest(name, sections().map(str::to_owned));
        Self::UnknownSection { name: name.to_owned(), nearest }
    }

    /// A key of a known section.
    pub(super) fn unknown_key(section: &str, key: &str) -> Self {
        let name = format!("{section}.{key}");
        let nearest = match SETTINGS.iter().find(|setting| setting.key == key) {
            // The right key in the wrong section is nearer than any other key of this section.
            Some(setting) => setting.name(),
            None => nearest(&name, SETTINGS.iter().map(super::schema::Setting::name)),
        };
        Self::UnknownKey { name, nearest }
    }

    /// A value outside of every section.
    pub(super) fn key_without_section(key: &str) -> Self {
        let by_key = SETTINGS.iter().min_by_key(|setting| damerau_levenshtein(setting.key, key));
        let nearest = by_key.map(super::schema::Setting::name).unwrap_or_default();
        Self::UnknownKey { name: key.to_owned(), nearest }
    }

    /// An environment variable that has our form and no setting.
    pub(super) fn unknown_env(name: &str) -> Self {
        let nearest = nearest(name, SETTINGS.iter().map(super::schema::Setting::env_name));
        Self::UnknownKey { name: name.to_owned(), nearest }
    }
}

/// The candidate with the fewest edits from `name`; the first of several.
fn nearest(name: &str, candidates: impl Iterator<Item = String>) -> String {
    candidates.min_by_key(|candidate| damerau_levenshtein(candidate, name)).unwrap_or_default()
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Dev => f.write_str("corecast dev"),
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Env(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, &self.fault) {
            // The fault already says which variable, or is about what is nowhere.
            (Origin::Env(_), Fault::UnknownKey { .. }) | (Origin::Default, _) => self.fault.fmt(f),
            (origin, fault) => write!(f, "{origin}: {fault}"),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Default => f.write_str(&self.text),
            origin => write!(f, "{origin}: {}", self.text),
        }
    }
}
