//! One value: from what a layer holds, through the row's checks, into the configuration, and back to TOML.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use thiserror::Error;
use tracing_subscriber::filter::Targets;
use ureq::http::Uri;

use super::Config;
use super::keys::{HMAC_KEY_BYTES_MIN, is_loopback};
use super::schema::{Choice, Kind, Setting};
use super::secret::Secret;
use super::units::{UnitError, parse_bytes, parse_duration, show_bytes, show_duration};

/// Each is looked at for every stream that is asked for.
const NETWORKS_MAX: usize = 256;

/// A value as its layer holds it, not yet checked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Raw {
    /// Text of the environment or a flag, where numbers and lists have no notation of their own.
    Untyped(String),
    /// A TOML string.
    Text(String),
    /// A TOML integer; `None` does not fit 64 bits.
    Integer(Option<i64>),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array of strings only.
    List(Vec<String>),
    /// Any other TOML value, by the name of its type.
    Other(&'static str),
}

/// Why a value is refused. The text follows `section.key = value`.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ValueError {
    /// Under the range.
    #[error("is below the minimum {0}")]
    Below(String),
    /// Over the range.
    #[error("is above the maximum {0}")]
    Above(String),
    /// Of another type, or not of the form that is wanted.
    #[error("is not {0}")]
    Not(String),
    /// A duration without its unit.
    #[error("has no unit: write \"{0}s\" or \"{0}ms\"")]
    UnitMissing(String),
    /// A secret that can be guessed.
    #[error("has {0} bytes: at least {HMAC_KEY_BYTES_MIN} random bytes are needed")]
    SecretTooShort(usize),
    /// An origin that no browser sends.
    #[error("has {0:?}, which is not \"*\" or scheme://host[:port] in lower case, without a path")]
    NotAnOrigin(String),
}

impl Raw {
    /// What the operator wrote, for an error message.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Untyped(text) | Self::Text(text) => toml_string(text),
            Self::Integer(Some(value)) => value.to_string(),
            Self::Integer(None) => "an integer beyond 64 bits".to_owned(),
            Self::Boolean(value) => value.to_string(),
            Self::List(items) => show_list(items),
            Self::Other(kind) => (*kind).to_owned(),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Untyped(text) | Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    fn integer(&self) -> Option<u64> {
        match self {
            Self::Integer(value) => u64::try_from((*value)?).ok(),
            Self::Untyped(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        }
    }

    fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Untyped(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn list(&self) -> Option<Vec<String>> {
        match self {
            Self::List(items) => Some(items.clone()),
            Self::Untyped(text) if text.trim().is_empty() => Some(Vec::new()),
            Self::Untyped(text) => Some(text.split(',').map(|item| item.trim().to_owned()).collect()),
            _ => None,
        }
    }
}

impl Setting {
    /// Checks `raw` and writes it into `config`; on an error nothing is written.
    pub(super) fn write(&self, config: &mut Config, raw: &Raw) -> Result<(), ValueError> {
        match &self.kind {
            Kind::Count { min, max, field } => *field(config) = self.count(raw, *min, *max)?,
            Kind::CountOrAuto { min, max, field } => {
                *field(config) =
                    if raw.text() == Some("auto") { None } else { Some(self.count(raw, *min, *max)?) };
            }
            Kind::Bytes { min, max, field } => *field(config) = self.bytes(raw, *min, *max)?,
            Kind::BytesShort { min, max, field } => {
                let bytes = self.bytes(raw, u64::from(*min), u64::from(*max))?;
                *field(config) = u32::try_from(bytes).unwrap_or(*max);
            }
            Kind::Duration { min, max, field } => *field(config) = self.duration(raw, *min, *max)?,
            Kind::DurationOrOff { min, max, field } => {
                *field(config) =
                    if raw.text() == Some("off") { None } else { Some(self.duration(raw, *min, *max)?) };
            }
            Kind::Switch { field } => *field(config) = raw.boolean().ok_or_else(|| self.refusal())?,
            Kind::Choice(choice) => (choice.choose)(config, self.index(raw, choice)?),
            Kind::Address { field } => {
                let address: Option<SocketAddr> = raw.text().and_then(|text| text.parse().ok());
                *field(config) = address.ok_or_else(|| self.refusal())?;
            }
            Kind::Path { field } => *field(config) = self.path(raw)?,
            Kind::OptionalPath { field } => *field(config) = Some(self.path(raw)?),
            Kind::Secret { field } => {
                let text = raw.text().ok_or_else(|| self.refusal())?;
                if text.len() < HMAC_KEY_BYTES_MIN {
                    return Err(ValueError::SecretTooShort(text.len()));
                }
                *field(config) = Some(Secret::new(text.as_bytes()));
            }
            Kind::KeySetUrl { field } => {
                let text = raw.text().filter(|text| is_key_set_url(text)).ok_or_else(|| self.refusal())?;
                *field(config) = Some(text.to_owned());
            }
            Kind::Origins { field } => *field(config) = self.origins(raw)?,
            Kind::Networks { field } => *field(config) = self.networks(raw)?,
            Kind::LogLevel { field } => {
                let text = raw.text().filter(|text| is_log_level(text)).ok_or_else(|| self.refusal())?;
                *field(config) = text.to_owned();
            }
        }
        Ok(())
    }

    /// Writes the value that `from` has into `to`.
    pub(crate) fn copy(&self, from: &Config, to: &mut Config) {
        let from = &mut from.clone();
        match &self.kind {
            Kind::Count { field, .. } | Kind::BytesShort { field, .. } => *field(to) = *field(from),
            Kind::CountOrAuto { field, .. } => *field(to) = *field(from),
            Kind::Bytes { field, .. } => *field(to) = *field(from),
            Kind::Duration { field, .. } => *field(to) = *field(from),
            Kind::DurationOrOff { field, .. } => *field(to) = *field(from),
            Kind::Switch { field } => *field(to) = *field(from),
            Kind::Choice(choice) => {
                if let Some(index) = (choice.chosen)(from) {
                    (choice.choose)(to, index);
                }
            }
            Kind::Address { field } => *field(to) = *field(from),
            Kind::Path { field } => field(to).clone_from(field(from)),
            Kind::OptionalPath { field } => field(to).clone_from(field(from)),
            Kind::Secret { field } => field(to).clone_from(field(from)),
            Kind::KeySetUrl { field } => field(to).clone_from(field(from)),
            Kind::Origins { field } => field(to).clone_from(field(from)),
            Kind::Networks { field } => field(to).clone_from(field(from)),
            Kind::LogLevel { field } => field(to).clone_from(field(from)),
        }
    }

    /// The value in `config` as a TOML literal; `None` if it is unset. A secret is shown as `<set>`.
    pub(crate) fn read(&self, config: &mut Config) -> Option<String> {
        Some(match &self.kind {
            Kind::Count { field, .. } | Kind::BytesShort { field, .. } => field(config).to_string(),
            Kind::CountOrAuto { field, .. } => match field(config) {
                Some(count) => count.to_string(),
                None => "\"auto\"".to_owned(),
            },
            Kind::Bytes { field, .. } => toml_string(&show_bytes(*field(config))),
            Kind::Duration { field, .. } => toml_string(&show_duration(*field(config))),
            Kind::DurationOrOff { field, .. } => match field(config) {
                Some(duration) => toml_string(&show_duration(*duration)),
                None => "\"off\"".to_owned(),
            },
            Kind::Switch { field } => field(config).to_string(),
            Kind::Choice(choice) => toml_string(choice.names.get((choice.chosen)(config)?)?),
            Kind::Address { field } => toml_string(&field(config).to_string()),
            Kind::Path { field } => toml_string(&field(config).to_string_lossy()),
            Kind::OptionalPath { field } => toml_string(&field(config).as_ref()?.to_string_lossy()),
            Kind::Secret { field } => format!("{:?}", field(config).as_ref()?),
            Kind::KeySetUrl { field } => toml_string(field(config).as_ref()?),
            Kind::Origins { field } => show_list(field(config)),
            Kind::Networks { field } => {
                let networks: Vec<String> = field(config).iter().map(show_network).collect();
                show_list(&networks)
            }
            Kind::LogLevel { field } => toml_string(field(config)),
        })
    }

    /// Which values are allowed, with range and unit: for documents and errors.
    #[must_use]
    pub fn allowed(&self) -> String {
        let durations = |min: &Duration, max: &Duration| {
            format!(
                "a duration from \"{}\" to \"{}\" (units ms, s, m, h, d)",
                show_duration(*min),
                show_duration(*max)
            )
        };
        let sizes = |min: u64, max: u64| {
            format!(
                "a size from \"{}\" to \"{}\" (units KiB, MiB, GiB; bytes without a unit)",
                show_bytes(min),
                show_bytes(max)
            )
        };
        match &self.kind {
            Kind::Count { min, max, .. } => format!("a whole number from {min} to {max}"),
            Kind::CountOrAuto { min, max, .. } => format!("\"auto\" or a whole number from {min} to {max}"),
            Kind::Bytes { min, max, .. } => sizes(*min, *max),
            Kind::BytesShort { min, max, .. } => sizes(u64::from(*min), u64::from(*max)),
            Kind::Duration { min, max, .. } => durations(min, max),
            Kind::DurationOrOff { min, max, .. } => format!("\"off\" or {}", durations(min, max)),
            Kind::Switch { .. } => "true or false".to_owned(),
            Kind::Choice(choice) => one_of(choice.names),
            Kind::Address { .. } => {
                "an IP address with a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"".to_owned()
            }
            Kind::Path { .. } | Kind::OptionalPath { .. } => "a path".to_owned(),
            Kind::Secret { .. } => format!("a text of at least {HMAC_KEY_BYTES_MIN} random bytes"),
            Kind::KeySetUrl { .. } => "an https URL, or an http URL of a loopback address".to_owned(),
            Kind::Origins { .. } => {
                "a list of origins, such as [\"https://app.example.com\"] (in the environment: separated by commas)"
                    .to_owned()
            }
            Kind::Networks { .. } => {
                format!(
                    "a list of at most {NETWORKS_MAX} addresses and networks, such as [\"127.0.0.1\", \"10.0.0.0/8\"] (in the \
                     environment: separated by commas)"
                )
            }
            Kind::LogLevel { .. } => {
                "off, error, warn, info, debug or trace, or a list such as \"info,corecast=debug\"".to_owned()
            }
        }
    }

    fn refusal(&self) -> ValueError {
        ValueError::Not(self.allowed())
    }

    fn count(&self, raw: &Raw, min: u32, max: u32) -> Result<u32, ValueError> {
        let value = raw.integer().ok_or_else(|| self.refusal())?;
        if value < u64::from(min) {
            return Err(ValueError::Below(min.to_string()));
        }
        u32::try_from(value)
            .ok()
            .filter(|value| *value <= max)
            .ok_or_else(|| ValueError::Above(max.to_string()))
    }

    fn bytes(&self, raw: &Raw, min: u64, max: u64) -> Result<u64, ValueError> {
        let value = match (raw, raw.text()) {
            (Raw::Integer(_), _) => raw.integer().ok_or_else(|| self.refusal())?,
            (_, Some(text)) => match parse_bytes(text) {
                Ok(bytes) => bytes,
                Err(UnitError::TooLarge) => u64::MAX,
                Err(UnitError::Malformed | UnitError::UnitMissing) => return Err(self.refusal()),
            },
            _ => return Err(self.refusal()),
        };
        if value < min {
            return Err(ValueError::Below(show_bytes(min)));
        }
        if value > max {
            return Err(ValueError::Above(show_bytes(max)));
        }
        Ok(value)
    }

    fn duration(&self, raw: &Raw, min: Duration, max: Duration) -> Result<Duration, ValueError> {
        if let Some(number) = raw.integer() {
            return Err(ValueError::UnitMissing(number.to_string()));
        }
        let text = raw.text().ok_or_else(|| self.refusal())?;
        let value = match parse_duration(text) {
            Ok(duration) => duration,
            Err(UnitError::UnitMissing) => return Err(ValueError::UnitMissing(text.to_owned())),
            Err(UnitError::TooLarge) => return Err(ValueError::Above(show_duration(max))),
            Err(UnitError::Malformed) => return Err(self.refusal()),
        };
        if value < min {
            return Err(ValueError::Below(show_duration(min)));
        }
        if value > max {
            return Err(ValueError::Above(show_duration(max)));
        }
        Ok(value)
    }

    fn index(&self, raw: &Raw, choice: &Choice) -> Result<usize, ValueError> {
        let text = raw.text().ok_or_else(|| self.refusal())?;
        choice.names.iter().position(|name| *name == text).ok_or_else(|| self.refusal())
    }

    fn path(&self, raw: &Raw) -> Result<PathBuf, ValueError> {
        raw.text().filter(|text| !text.is_empty()).map(PathBuf::from).ok_or_else(|| self.refusal())
    }

    fn networks(&self, raw: &Raw) -> Result<Vec<IpNet>, ValueError> {
        let items = raw.list().filter(|items| items.len() <= NETWORKS_MAX).ok_or_else(|| self.refusal())?;
        let networks = items.iter().map(|item| parse_network(item).ok_or_else(|| self.refusal()));
        networks.collect()
    }

    fn origins(&self, raw: &Raw) -> Result<Vec<Box<str>>, ValueError> {
        let items = raw.list().ok_or_else(|| self.refusal())?;
        match items.iter().find(|item| !is_origin(item)) {
            Some(item) => Err(ValueError::NotAnOrigin(item.clone())),
            None => Ok(items.into_iter().map(String::into_boxed_str).collect()),
        }
    }
}

/// `10.0.0.0/8`, or an address for that one alone.
fn parse_network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn show_network(network: &IpNet) -> String {
    match network.prefix_len() == network.max_prefix_len() {
        true => network.addr().to_string(),
        false => network.to_string(),
    }
}

/// Whether a browser could send `text` as `Origin` (RFC 6454 §6.2: lower case, no path), or it is `*`.
fn is_origin(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let is_plain = |text: &str, others: &[u8]| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || others.contains(&b))
    };
    is_plain(scheme, b"+-.") && is_plain(host, b".-_:[]") && text.parse::<Uri>().is_ok()
}

/// Key material must not be open to change on its way.
fn is_key_set_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    match uri.scheme_str() {
        Some("https") => uri.host().is_some_and(|host| !host.is_empty()),
        Some("http") => uri.host().is_some_and(is_loopback),
        _ => false,
    }
}

fn is_log_level(text: &str) -> bool {
    !text.trim().is_empty() && text.parse::<Targets>().is_ok()
}

fn one_of(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => quoted.concat(),
    }
}

fn show_list(items: &[impl AsRef<str>]) -> String {
    let items: Vec<String> = items.iter().map(|item| toml_string(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// `text` as a TOML basic string.
fn toml_string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
