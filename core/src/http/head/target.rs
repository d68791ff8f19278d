//! Request targets (RFC 9112 §3.2): origin form, absolute form, and `*` with OPTIONS.

use super::{HeadError, Method, Span};

/// The parts of a target. `path` is `None` for `http://host`, which means `/`.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) path: Option<Span>,
    pub(super) query: Option<Span>,
    pub(super) authority: Option<Span>,
}

impl Target {
    /// `target` is a slice of `head`.
    pub(super) fn parse(head: &[u8], method: Method, target: &str) -> Result<Self, HeadError> {
        // Any visible ASCII but `#` is taken, though a URI has no `{`, `}`, `|` or `^`: browsers leave them in queries,
        // and URI Templates come as topics.
        if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err(HeadError::Target);
        }
        let span = |part: &str| Span::of(head, part.as_bytes());
        if target == "*" {
            return match method {
                Method::Options => Ok(Self { path: Some(span(target)), query: None, authority: None }),
                _ => Err(HeadError::Target),
            };
        }

        let (authority, rest) = if target.starts_with('/') { (None, target) } else { absolute(target)? };
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        Ok(Self {
            path: (!path.is_empty()).then(|| span(path)),
            query: query.map(span),
            authority: authority.map(span),
        })
    }
}

/// Splits an absolute target into its authority and the rest.
fn absolute(target: &str) -> Result<(Option<&str>, &str), HeadError> {
    let (scheme, rest) = target.split_once("://").ok_or(HeadError::Target)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(HeadError::Target);
    }
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.is_empty() || !is_host(authority.as_bytes()) {
        return Err(HeadError::Target);
    }
    Ok((Some(authority), rest))
}

/// Whether `value` has only bytes of `uri-host [":" port]` (RFC 9110 §7.2); so no user, path or list. It may be empty.
pub(super) fn is_host(value: &[u8]) -> bool {
    value.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(&byte))
}
