//! What a token says about its holder.
//!
//! Claims that the hub does not know, and unknown members of `corecast`, are ignored: issuers may be newer than hubs.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::{AuthError, Claim};
use super::token::parse_object;
use super::verifier::NOT_BEFORE_LEEWAY_MS;
use crate::limits::{GRANTS_MAX, NAME_BYTES_MAX};
use crate::selector::Selector;
use crate::time::UnixMillis;

/// What a good token says.
#[derive(Debug, PartialEq)]
pub(super) struct Claims {
    pub(super) user: Option<Box<str>>,
    pub(super) expires: UnixMillis,
    not_before: UnixMillis,
    pub(super) subscribe: Box<[Selector]>,
    pub(super) publish: Box<[Selector]>,
}

/// Values are looked at one by one, so that an error can name the claim. A claim that is `null` counts as absent,
/// one that appears twice makes the token malformed.
#[derive(Deserialize)]
struct Payload {
    sub: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    corecast: Option<Value>,
}

/// The payload as nearly every issuer writes it: no fractions of seconds, no escapes in names. Read without a tree of
/// values, since it is read at each connect.
#[derive(Deserialize)]
struct Usual<'a> {
    #[serde(borrow)]
    sub: Option<&'a str>,
    exp: u64,
    nbf: Option<u64>,
    #[serde(borrow)]
    corecast: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct UsualGrants<'a> {
    #[serde(borrow)]
    subscribe: Option<Vec<&'a str>>,
    #[serde(borrow)]
    publish: Option<Vec<&'a str>>,
}

impl Claims {
    /// Reads the payload of a token whose signature is good.
    pub(super) fn parse(json: &[u8]) -> Result<Self, AuthError> {
        Self::parse_usual(json).map_or_else(|| Self::parse_any(json), Ok)
    }

    /// Reads a good payload of the usual form; `None` for everything else, whether it is good or not.
    fn parse_usual(json: &[u8]) -> Option<Self> {
        let usual: Usual<'_> = parse_object(json).ok()?;
        let grants: UsualGrants<'_> = match usual.corecast {
            Some(corecast) => parse_object(corecast.get().as_bytes()).ok()?,
            None => UsualGrants::default(),
        };
        let user = match usual.sub {
            Some(name) if is_name(name) => Some(name.into()),
            Some(_) => return None,
            None => None,
        };
        Some(Self {
            user,
            expires: UnixMillis(usual.exp.saturating_mul(1000)),
            not_before: UnixMillis(usual.nbf.unwrap_or(0).saturating_mul(1000)),
            subscribe: parse_usual_grants(grants.subscribe)?,
            publish: parse_usual_grants(grants.publish)?,
        })
    }

    fn parse_any(json: &[u8]) -> Result<Self, AuthError> {
        let payload: Payload = parse_object(json)?;
        let (subscribe, publish) = payload.corecast.as_ref().map_or_else(
            || Ok((None, None)),
            |corecast| {
                let members = corecast.as_object().ok_or(AuthError::BadClaims(Claim::Corecast))?;
                Ok((members.get("subscribe"), members.get("publish")))
            },
        )?;
        Ok(Self {
            user: payload.sub.map(|sub| parse_name(&sub)).transpose()?,
            expires: parse_date(&payload.exp.ok_or(AuthError::NoExpiry)?, Claim::Exp)?,
            not_before: payload.nbf.map_or(Ok(UnixMillis(0)), |nbf| parse_date(&nbf, Claim::Nbf))?,
            subscribe: parse_grants(subscribe, Claim::Subscribe)?,
            publish: parse_grants(publish, Claim::Publish)?,
        })
    }

    /// `exp` is exact, since streams end at it; `nbf` allows for the clock of an issuer that is ahead.
    pub(super) fn check_time(&self, now: UnixMillis) -> Result<(), AuthError> {
        if self.is_expired(now) {
            Err(AuthError::Expired)
        } else if now.0.saturating_add(NOT_BEFORE_LEEWAY_MS) < self.not_before.0 {
            Err(AuthError::NotYetValid)
        } else {
            Ok(())
        }
    }

    pub(super) fn is_expired(&self, now: UnixMillis) -> bool {
        now >= self.expires
    }
}

fn parse_name(sub: &Value) -> Result<Box<str>, AuthError> {
    sub.as_str().filter(|name| is_name(name)).map(Box::from).ok_or(AuthError::BadClaims(Claim::Sub))
}

/// Whether `text` may be the name of a user.
pub(super) fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// A `NumericDate` (RFC 7519 §2): seconds, possibly with a fraction. What is before 1970 or after the end of
/// `UnixMillis` becomes that end.
fn parse_date(value: &Value, claim: Claim) -> Result<UnixMillis, AuthError> {
    let bad = AuthError::BadClaims(claim);
    let number = value.as_number().ok_or(bad)?;
    if let Some(secs) = number.as_u64() {
        return Ok(UnixMillis(secs.saturating_mul(1000)));
    }
    let secs = number.as_f64().ok_or(bad)?;
    // A cast of a float saturates.
    Ok(UnixMillis((secs * 1000.0) as u64))
}

fn parse_usual_grants(list: Option<Vec<&str>>) -> Option<Box<[Selector]>> {
    let list = list.unwrap_or_default();
    let grants = list.iter().map(|grant| Selector::parse(grant).ok());
    if list.len() <= GRANTS_MAX { grants.collect() } else { None }
}

fn parse_grants(list: Option<&Value>, claim: Claim) -> Result<Box<[Selector]>, AuthError> {
    let bad = AuthError::BadClaims(claim);
    let Some(list) = list.filter(|list| !list.is_null()) else { return Ok(Box::default()) };
    let list = list.as_array().filter(|list| list.len() <= GRANTS_MAX).ok_or(bad)?;
    let parse = |grant: &Value| Selector::parse(grant.as_str().ok_or(bad)?).map_err(|_| bad);
    list.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_form_says_the_same_as_any_form() {
        // Each with whether it is of the usual form.
        for (json, usual) in [
            (r#"{"exp":5}"#, true),
            (r#"{"exp":5,"sub":null,"nbf":null,"corecast":null}"#, true),
            (r#" {"sub":"alice","exp":18446744073709551615,"nbf":3,"jti":[{}],"corecast":{}}"#, true),
            (r#"{"exp":5,"corecast":{"subscribe":["a","b/{x}"],"publish":["*"],"more":1}}"#, true),
            (r#"{"exp":5,"corecast":{"subscribe":null}}"#, true),
            (r#"{"exp":5.5,"sub":"alice"}"#, false),
            (r#"{"exp":5,"sub":"\u0061lice"}"#, false),
            (r#"{"exp":5,"corecast":{"subscribe":["\u0061"]}}"#, false),
            (r#"{"exp":5,"sub":""}"#, false),
            (r#"{"exp":5,"sub":7}"#, false),
            (r#"{"exp":5,"exp":6}"#, false),
            (r#"{"exp":5,"corecast":[["a"],["b"]]}"#, false),
            (r#"{"exp":5,"corecast":{"publish":"*"}}"#, false),
            (r#"{"exp":5,"corecast":{"publish":[""]}}"#, false),
            (r#"{"exp":-5}"#, false),
            (r#"["alice",5]"#, false),
            (r#"{"sub":"alice"}"#, false),
        ] {
            let read = Claims::parse_usual(json.as_bytes());
            assert_eq!(read.is_some(), usual, "{json}");
            if let Some(claims) = read {
                assert_eq!(Claims::parse_any(json.as_bytes()), Ok(claims), "{json}");
            }
        }
    }
}
