//! Events in plain text: the body is the data, the query says the rest. Made for `curl` and shell scripts.

use super::draft::{Draft, number};
use super::error::{Field, PublishError};
use crate::http::Excerpt;
use crate::http::query::pairs;

/// Reads the query of a `text/plain` post.
pub(super) fn draft(query: &str, body: &str) -> Result<Draft, PublishError> {
    let mut draft = Draft { data: body.into(), ..Draft::default() };
    let mut flags = Flags::default();
    for pair in pairs(query) {
        let (name, value) = pair?;
        match &*name {
            "topic" => draft.topics.get_or_insert_default().push(Some(value.into())),
            "user" => draft.users.get_or_insert_default().push(Some(value.into())),
            "type" => set_once(&mut draft.kind, value.into(), Field::Type)?,
            "id" => set_once(&mut draft.id, value.into(), Field::Id)?,
            "retry" => set_once(&mut draft.retry_ms, number(Field::Retry, &value)?, Field::Retry)?,
            "ttl" => set_once(&mut draft.ttl_seconds, number(Field::Ttl, &value)?, Field::Ttl)?,
            "all" => set_once(&mut flags.all, flag(Field::All, &value)?, Field::All)?,
            "private" => set_once(&mut flags.private, flag(Field::Private, &value)?, Field::Private)?,
            "ephemeral" => set_once(&mut flags.ephemeral, flag(Field::Ephemeral, &value)?, Field::Ephemeral)?,
            "access_token" => {}
            _ => return Err(PublishError::UnknownParameter(Excerpt::of(&name))),
        }
    }
    draft.all = flags.all.unwrap_or(false);
    draft.private = flags.private.unwrap_or(false);
    draft.ephemeral = flags.ephemeral.unwrap_or(false);
    Ok(draft)
}

/// The query beside a JSON body can only carry the token: what describes the event stands in the body.
pub(super) fn check_only_token(query: &str) -> Result<(), PublishError> {
    for pair in pairs(query) {
        let (name, _) = pair?;
        if name != "access_token" {
            return Err(PublishError::UnknownParameter(Excerpt::of(&name)));
        }
    }
    Ok(())
}

#[derive(Default)]
struct Flags {
    all: Option<bool>,
    private: Option<bool>,
    ephemeral: Option<bool>,
}

/// `?private`, `?private=1` and `?private=true` are all yes; a word that is neither yes nor no is an error.
fn flag(field: Field, value: &str) -> Result<bool, PublishError> {
    match value {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(PublishError::WrongType { field, expected: "1 or 0" }),
    }
}

fn set_once<T>(slot: &mut Option<T>, value: T, field: Field) -> Result<(), PublishError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(PublishError::Repeated(field)),
    }
}
