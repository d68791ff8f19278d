//! What a subscriber asks for or a token grants: an exact topic, a URI Template, or `*`.
//!
//! Invariant: parsing costs time and memory in proportion to the text, matching in proportion to template × topic.
//! Not here: which topics exist. `*` matches every topic it is shown, the hub's own too.

mod matching;
mod template;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::limits::{SELECTOR_VARIABLES_MAX, TOPIC_BYTES_MAX};

pub use self::template::Template;

/// Topics that begin with this are the hub's own: publishers cannot name them as topics, and a subscriber's `*` or
/// template never meets them. Grants can: `corecast:users/{user}` lets a publisher address users,
/// `corecast:all` everyone.
pub const RESERVED_PREFIX: &str = "corecast:";

/// A parsed selector. Cloning shares it; equal are selectors of the same kind and text.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// `*`
    Any,
    /// One topic, byte for byte. Also what is no valid template.
    Exact(Arc<str>),
    /// A URI Template (RFC 6570, all four levels). It also matches itself byte for byte.
    Template(Arc<Template>),
}

/// Why a text is no selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectorError {
    /// Empty.
    Empty,
    /// Longer than [`TOPIC_BYTES_MAX`].
    TooLong,
    /// Control characters (Unicode category `Cc`).
    Control,
    /// A template of more than [`SELECTOR_VARIABLES_MAX`] variables.
    TooComplex,
}

impl Selector {
    /// Parses a selector of 1 to [`TOPIC_BYTES_MAX`] bytes.
    ///
    /// A text that has no `{`, or is no valid template, is an exact topic, as Mercure has it.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        check(text)?;
        if text == "*" {
            return Ok(Self::Any);
        }
        Ok(match Template::parse(text) {
            Some(template) if template.variable_count() > SELECTOR_VARIABLES_MAX => {
                return Err(SelectorError::TooComplex);
            }
            Some(template) => Self::Template(Arc::new(template)),
            None => Self::Exact(text.into()),
        })
    }

    /// Whether `topic` is selected. A template matches no topic longer than [`TOPIC_BYTES_MAX`].
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(text) => **text == *topic,
            Self::Template(template) => template.as_str() == topic || template.fits(topic),
        }
    }

    /// What every topic that it matches begins with: all of an exact topic, nothing of `*`.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        match self {
            Self::Any => "",
            Self::Exact(text) => text,
            Self::Template(template) => template.literal_prefix(),
        }
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::Exact(text) => text,
            Self::Template(template) => template.as_str(),
        }
    }
}

fn check(text: &str) -> Result<(), SelectorError> {
    if text.is_empty() {
        Err(SelectorError::Empty)
    } else if text.len() > TOPIC_BYTES_MAX {
        Err(SelectorError::TooLong)
    } else if text.chars().any(char::is_control) {
        Err(SelectorError::Control)
    } else {
        Ok(())
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Any => "Any",
            Self::Exact(_) => "Exact",
            Self::Template(_) => "Template",
        };
        write!(f, "{kind}({:?})", self.as_str())
    }
}

impl fmt::Display for SelectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a selector is empty, allowed are 1 to {TOPIC_BYTES_MAX} bytes"),
            Self::TooLong => write!(f, "a selector is too long, allowed are 1 to {TOPIC_BYTES_MAX} bytes"),
            Self::Control => {
                write!(
                    f,
                    "a selector has a control character, allowed is any text without U+0000–001F and U+007F–009F"
                )
            }
            Self::TooComplex => {
                write!(f, "a template has too many variables, allowed are {SELECTOR_VARIABLES_MAX}")
            }
        }
    }
}

impl std::error::Error for SelectorError {}
