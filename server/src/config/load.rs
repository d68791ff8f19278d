//! Layers into one configuration: defaults, what `corecast dev` sets, the file, the environment, flags.
//!
//! Every layer is checked in full, also values that a later layer replaces: a wrong line in a file does not wait
//! for the day on which its override is gone.

use std::ffi::OsString;
use std::path::PathBuf;

use super::problem::{Fault, Origin, Problem, Problems, Warning};
use super::schema::{self, SETTINGS, Setting};
use super::value::Raw;
use super::{Config, Secret, env, file, rules};

/// What the configuration is for: which settings it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A hub for real users: needs a key.
    Serve,
    /// A hub for one developer: a key is made up.
    Dev,
    /// Signing tokens: needs a shared secret.
    Sign,
    /// Looking at a log: needs no key.
    Inspect,
}

/// Where values come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file, if one was named.
    pub file: Option<PathBuf>,
    /// The environment; variables that are not ours are ignored.
    pub env: Vec<(OsString, OsString)>,
    /// Flags that stand for a setting.
    pub flags: Vec<Override>,
}

/// Where a configuration can be read again.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file, if one was named.
    pub file: Option<PathBuf>,
    /// Flags of the start.
    pub flags: Vec<Override>,
    /// What it is for.
    pub purpose: Purpose,
    /// The shared secret that was made up at the start, for as long as nobody sets one.
    pub made_up_key: Option<Secret>,
}

impl Source {
    /// Reads file and environment anew.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn load(&self) -> Result<Loaded, Problems> {
        let Self { file, flags, purpose, made_up_key } = self.clone();
        let mut loaded = load(&Sources { file, env: std::env::vars_os().collect(), flags }, purpose)?;
        let auth = &mut loaded.config.auth;
        if auth.hmac_key_file.is_none() && auth.hmac_key.is_none() {
            auth.hmac_key = made_up_key;
        }
        Ok(loaded)
    }
}

/// A flag that stands for a setting.
#[derive(Clone, Debug)]
pub struct Override {
    /// With its hyphens.
    pub flag: &'static str,
    /// The setting's section.
    pub section: &'static str,
    /// The setting's key.
    pub key: &'static str,
    /// As typed.
    pub value: String,
}

/// A configuration that holds.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// What is probably not meant.
    pub warnings: Vec<Warning>,
    /// Where each value came from, in the order of the table of settings.
    pub origins: Vec<Origin>,
}

/// A value of one layer.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) setting: &'static Setting,
    pub(super) raw: Raw,
    pub(super) origin: Origin,
}

/// What the layers came to, with what the rules about pairs must know of it.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) config: Config,
    /// The layer that won, for each row.
    pub(super) origins: Vec<Origin>,
    /// Rows with a refused value: a rule would judge a default in its place.
    refused: Vec<bool>,
    /// The file could not be read: what seems missing may be in it.
    pub(super) is_partial: bool,
}

/// Merges and checks all layers.
pub fn load(sources: &Sources, purpose: Purpose) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let merged = merge(sources, purpose, &mut problems);
    let mut warnings = Vec::new();
    rules::check(&merged, purpose, &mut problems, &mut warnings);
    if problems.is_empty() {
        Ok(Loaded { config: merged.config, warnings, origins: merged.origins })
    } else {
        Err(Problems(problems))
    }
}

fn merge(sources: &Sources, purpose: Purpose, problems: &mut Vec<Problem>) -> Merged {
    let mut merged = Merged {
        config: Config::blank(),
        origins: vec![Origin::Default; SETTINGS.len()],
        refused: vec![false; SETTINGS.len()],
        is_partial: false,
    };
    merged.apply(defaults(), problems);
    if purpose == Purpose::Dev {
        merged.apply(dev(), problems);
    }
    if let Some(path) = &sources.file {
        let given = file::read(path, problems);
        merged.is_partial = problems
            .iter()
            .any(|p| matches!(p.fault, Fault::Unreadable(_) | Fault::TooLarge(_) | Fault::Syntax(_)));
        merged.apply(given, problems);
    }
    merged.apply(env::read(&sources.env, problems), problems);
    merged.apply(flags(&sources.flags), problems);
    merged
}

fn defaults() -> Vec<Given> {
    let literals = SETTINGS.iter().filter_map(|setting| Some((setting, setting.default?)));
    // A default that is no TOML is refused by its own row, like any other value; a test reads them all.
    let read = |text| file::literal(text).unwrap_or(Raw::Other("no TOML literal"));
    literals.map(|(setting, text)| Given { setting, raw: read(text), origin: Origin::Default }).collect()
}

/// A demo listens to this machine only, lets a page subscribe without a token, tells its tabs apart, and stops at once.
fn dev() -> Vec<Given> {
    let row = |section, key, raw| {
        schema::find(section, key).map(|setting| Given { setting, raw, origin: Origin::Dev })
    };
    let listen = row("hub", "listen", Raw::Text("127.0.0.1:8080".to_owned()));
    let anonymous = row("auth", "anonymous", Raw::Boolean(true));
    let topics = row("stream", "topics", Raw::Boolean(true));
    // Whoever tries things out restarts often, and does not want to wait for a page to come back.
    let over = row("drain", "over", Raw::Text("1s".to_owned()));
    [listen, anonymous, topics, over].into_iter().flatten().collect()
}

fn flags(flags: &[Override]) -> Vec<Given> {
    let given = flags.iter().filter_map(|flag| {
        let setting = schema::find(flag.section, flag.key)?;
        Some(Given { setting, raw: Raw::Untyped(flag.value.clone()), origin: Origin::Flag(flag.flag) })
    });
    given.collect()
}

impl Merged {
    fn apply(&mut self, layer: Vec<Given>, problems: &mut Vec<Problem>) {
        for Given { setting, raw, origin } in layer {
            let row = row_of(setting);
            match setting.write(&mut self.config, &raw) {
                Ok(()) => self.origins[row] = origin,
                Err(reason) => {
                    self.refused[row] = true;
                    let value = if setting.is_secret() { "<set>".to_owned() } else { raw.show() };
                    let fault = Fault::Value { name: setting.name(), value, reason };
                    problems.push(Problem { origin, fault });
                }
            }
        }
    }

    /// Whether every layer's value of this setting was accepted.
    pub(super) fn is_sound(&self, section: &str, key: &str) -> bool {
        schema::find(section, key).is_some_and(|setting| !self.refused[row_of(setting)])
    }

    /// Which layer the value of this setting is from.
    pub(super) fn origin(&self, section: &str, key: &str) -> Origin {
        schema::find(section, key).map_or(Origin::Default, |setting| self.origins[row_of(setting)].clone())
    }
}

/// The place of `setting` in the table.
fn row_of(setting: &'static Setting) -> usize {
    SETTINGS.iter().position(|row| std::ptr::eq(row, setting)).expect("a setting is a row of the table")
}
