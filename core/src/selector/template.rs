//! A URI Template (RFC 6570, all four levels), parsed.
//!
//! Names of variables are checked and forgotten: expansion needs them, matching does not.
//! Not here: expansion, and what a topic must look like (`matching`).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;

/// A URI Template with at least one expression. Its memory is that of its text and 12 bytes for each part.
#[derive(Clone)]
pub struct Template {
    text: Box<str>,
    /// Literals and expressions in turn, covering all of the text.
    parts: Box<[Part]>,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Where in the text.
    Literal(Range<u32>),
    Expression(Expression),
}

/// `{…}`: what of it matters to a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) operator: Operator,
    /// At least 1.
    pub(super) variable_count: u32,
    /// Some variable has the modifier `*`, so the number of values is open.
    pub(super) exploded: bool,
}

/// RFC 6570 §2.2, named as in §3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `{x}`
    Simple,
    /// `{+x}`
    Reserved,
    /// `{#x}`
    Fragment,
    /// `{.x}`
    Label,
    /// `{/x}`
    Segment,
    /// `{;x}`
    Parameter,
    /// `{?x}`
    Query,
    /// `{&x}`
    Continuation,
}

impl Template {
    /// `None` is no valid template, or one without an expression.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if !text.contains('{') {
            return None;
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let start = text.len() - rest.len();
            match rest.strip_prefix('{') {
                Some(inner) => {
                    let (expression, after) = inner.split_once('}')?;
                    parts.push(Part::Expression(Expression::parse(expression)?));
                    rest = after;
                }
                None => {
                    let literal = rest.split('{').next().filter(|literal| is_literal(literal))?;
                    let range = u32::try_from(start).ok()?..u32::try_from(start + literal.len()).ok()?;
                    parts.push(Part::Literal(range));
                    rest = &rest[literal.len()..];
                }
            }
        }
        Some(Self { text: text.into(), parts: parts.into() })
    }

    /// The text it was parsed from.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn literal_prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Literal(range)) => self.literal(range),
            Some(Part::Expression(_)) | None => "",
        }
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub(super) fn literal(&self, range: &Range<u32>) -> &str {
        &self.text[range.start as usize..range.end as usize]
    }

    pub(super) fn variable_count(&self) -> usize {
        let count = |part: &Part| match part {
            Part::Literal(_) => 0,
            Part::Expression(expression) => expression.variable_count as usize,
        };
        self.parts.iter().map(count).sum()
    }
}

impl Expression {
    /// `inner` is what stands between the braces.
    fn parse(inner: &str) -> Option<Self> {
        let (operator, list) = Operator::split(inner);
        let mut expression = Self { operator, variable_count: 0, exploded: false };
        for variable in list.split(',') {
            expression.variable_count += 1;
            expression.exploded |= variable_is_exploded(variable)?;
        }
        Some(expression)
    }
}

impl Operator {
    /// The reserved operators (`=`, `,`, `!`, `@`, `|`) are left in the list, where no name can begin with them.
    fn split(inner: &str) -> (Self, &str) {
        let operator = match inner.as_bytes().first() {
            Some(b'+') => Self::Reserved,
            Some(b'#') => Self::Fragment,
            Some(b'.') => Self::Label,
            Some(b'/') => Self::Segment,
            Some(b';') => Self::Parameter,
            Some(b'?') => Self::Query,
            Some(b'&') => Self::Continuation,
            _ => return (Self::Simple, inner),
        };
        (operator, &inner[1..])
    }
}

/// One variable of a list with its modifier: whether that is `*`. `None` is no valid one.
fn variable_is_exploded(variable: &str) -> Option<bool> {
    if let Some(name) = variable.strip_suffix('*') {
        return is_name(name).then_some(true);
    }
    let (name, length) = match variable.split_once(':') {
        Some((name, length)) => (name, Some(length)),
        None => (variable, None),
    };
    (is_name(name) && length.is_none_or(is_prefix_length)).then_some(false)
}

/// 1 to 9999, without leading zeros (§2.4.1).
fn is_prefix_length(text: &str) -> bool {
    matches!(text.len(), 1..=4) && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())
}

/// Letters, digits, `_` and percent-encoded bytes, in groups joined by single dots (§2.3).
fn is_name(name: &str) -> bool {
    let is_group =
        |group: &str| !group.is_empty() && has_only(group, |c| c.is_ascii_alphanumeric() || c == '_');
    name.split('.').all(is_group)
}

/// §2.1. An apostrophe is not allowed: an oversight of the grammar that deployed matchers share.
fn is_literal(text: &str) -> bool {
    has_only(text, |c| match c {
        '!' | '#' | '$' | '&' | '('..=';' | '=' | '?'..='[' | ']' | '_' | 'a'..='z' | '~' => true,
        // `ucschar` and `iprivate` of RFC 3987: all but controls, surrogates and non-characters.
        '\u{a0}'..='\u{fdcf}' | '\u{fdf0}'..='\u{ffef}' => true,
        '\u{e0000}'..='\u{e0fff}' => false,
        '\u{10000}'.. => u32::from(c) & 0xffff <= 0xfffd,
        _ => false,
    })
}

/// Whether every character is a percent-encoded byte or `allowed`, which must not allow `%`.
fn has_only(text: &str, allowed: impl Fn(char) -> bool) -> bool {
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let good = match c {
            '%' => {
                [rest.next(), rest.next()].iter().all(|digit| digit.is_some_and(|d| d.is_ascii_hexdigit()))
            }
            _ => allowed(c),
        };
        if !good {
            return false;
        }
    }
    true
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Template {}

impl Hash for Template {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({:?})", self.text)
    }
}
