//! Events in JSON: one object each, with no field that the contract does not have.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::draft::{Draft, Names, number};
use super::error::{Field, PublishError};
use crate::http::Excerpt;
use crate::http::json::compact;

/// Reads one object. `line` is where it begins in the body, from 1.
pub(super) fn draft(json: &str, line: usize) -> Result<Draft, PublishError> {
    let fields: Fields<'_> = serde_json::from_str(json).map_err(|error| match error.classify() {
        Category::Data => PublishError::NotAnObject,
        Category::Syntax | Category::Eof | Category::Io => {
            PublishError::Json { line: line - 1 + error.line(), column: error.column() }
        }
    })?;
    if let Some(name) = fields.unknown {
        return Err(PublishError::UnknownField(name));
    }
    if let Some(field) = fields.repeated {
        return Err(PublishError::Repeated(field));
    }

    let mut draft = Draft::default();
    for (field, value) in Field::ALL_FIELDS.into_iter().zip(fields.values) {
        if let Some(value) = value {
            on_field(&mut draft, field, value)?;
        }
    }
    Ok(draft)
}

fn on_field(draft: &mut Draft, field: Field, value: &RawValue) -> Result<(), PublishError> {
    match field {
        Field::Topics => draft.topics = Some(typed(field, value, "a list of strings")?),
        Field::Users => draft.users = Some(typed(field, value, "a list of strings")?),
        Field::All => draft.all = typed(field, value, "true or false")?,
        Field::Data => draft.data = data(value)?,
        Field::Type => draft.kind = Some(typed(field, value, "a string")?),
        Field::Id => draft.id = Some(typed(field, value, "a string")?),
        Field::Retry => draft.retry_ms = Some(number(field, value.get())?),
        Field::Private => draft.private = typed(field, value, "true or false")?,
        Field::Ttl => draft.ttl_seconds = Some(number(field, value.get())?),
        Field::Ephemeral => draft.ephemeral = typed(field, value, "true or false")?,
    }
    Ok(())
}

/// A string goes out as it is, anything else as compact JSON.
fn data(value: &RawValue) -> Result<Box<str>, PublishError> {
    if value.get().starts_with('"') {
        // Only half a surrogate pair can be wrong with a string that has been read once.
        typed(Field::Data, value, "a string of whole Unicode characters")
    } else {
        Ok(compact(value.get()).into())
    }
}

fn typed<'de, T: Deserialize<'de>>(
    field: Field,
    value: &'de RawValue,
    expected: &'static str,
) -> Result<T, PublishError> {
    // The cause says no more than that the type is another one: the syntax is known to be good.
    serde_json::from_str(value.get()).or(Err(PublishError::WrongType { field, expected }))
}

/// The members of an object, not yet looked into.
#[derive(Default)]
struct Fields<'a> {
    /// In the order of `Field::ALL_FIELDS`.
    values: [Option<&'a RawValue>; Field::ALL_FIELDS.len()],
    unknown: Option<Excerpt>,
    repeated: Option<Field>,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Fields::default();
                while let Some(key) = map.next_key()? {
                    let value = map.next_value()?;
                    match key {
                        Key::Known(index) => {
                            if fields.values[index].replace(value).is_some() {
                                fields.repeated = Some(Field::ALL_FIELDS[index]);
                            }
                        }
                        Key::Unknown(name) => fields.unknown = fields.unknown.or(Some(name)),
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// A member's name: its index in `Field::ALL_FIELDS`, or something else.
enum Key {
    Known(usize),
    Unknown(Excerpt),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E>(self, name: &str) -> Result<Key, E> {
                let known = Field::ALL_FIELDS.iter().position(|field| field.as_str() == name);
                Ok(known.map_or_else(|| Key::Unknown(Excerpt::of(name)), Key::Known))
            }
        }

        deserializer.deserialize_str(KeyVisitor)
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamesVisitor;

        impl<'de> Visitor<'de> for NamesVisitor {
            type Value = Names;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of strings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Names, A::Error> {
                let mut names = Names::default();
                while names.has_room() {
                    match seq.next_element()? {
                        Some(name) => names.push(Some(name)),
                        None => return Ok(names),
                    }
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    names.push(None);
                }
                Ok(names)
            }
        }

        deserializer.deserialize_seq(NamesVisitor)
    }
}
