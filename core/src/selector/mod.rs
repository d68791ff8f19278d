//! What a subscriber asks for or a token grants: an exact topic, a URI Template, or `*`.

use std::fmt;

/// Topics that begin with this are the hub's own: publishers cannot name them as topics, and a subscriber's `*` or
/// template never matches them. Grants can: `corecast:users/{user}` lets a publisher address users,
/// `corecast:all` everyone.
pub const RESERVED_PREFIX: &str = "corecast:";

/// A parsed selector.
#[derive(Clone, Debug)]
pub enum Selector {
    /// `*`
    Any,
    /// One topic, byte for byte. Also what is no valid template.
    Exact(Box<str>),
    /// A URI Template (RFC 6570, all four levels). It also matches itself byte for byte.
    Template(Box<Template>),
}

/// A compiled URI Template.
#[derive(Clone, Debug)]
pub struct Template {}

/// Why a text is no selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectorError {
    /// Empty.
    Empty,
    /// Longer than the bound.
    TooLong,
    /// Control characters.
    Control,
    /// A template that compiles to more than the bound.
    TooComplex,
}

impl Selector {
    /// Parses a selector.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let _ = text;
        todo!()
    }

    /// Whether `topic` is selected.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        let _ = topic;
        todo!()
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        todo!()
    }
}

impl fmt::Display for SelectorError {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
