//! What a client asks for and may see, and whether an event is for it.
//!
//! Selectors are matched by a few lines that know the simulation's topics, not by the hub's selectors.

use corecast_core::event::Audience;
use corecast_core::time::{Instant, UnixMillis};

/// A request for a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    /// The user of the token; without it there is no token.
    pub(super) user: Option<String>,
    /// The stable id of a tab.
    pub(super) client_id: Option<String>,
    /// Its selectors.
    pub(super) topics: Vec<&'static str>,
    /// Its grants.
    pub(super) grants: Vec<&'static str>,
    /// What it has seen.
    pub(super) last_event_id: Option<String>,
    /// Whether it speaks HTTP/1.0.
    pub is_http10: bool,
    /// Whether it asks for an event stream by name.
    pub(super) wants_event_stream: bool,
    /// When its token ends.
    pub(super) token_expires: Option<UnixMillis>,
    /// When it asked.
    pub(super) at: Instant,
    /// Whether it wants heartbeats that handlers see.
    pub(super) visible_heartbeat: bool,
}

/// Under whom a stream is counted.
pub(super) type Owner = (bool, String);

impl Ask {
    /// The user, or else the `client_id`, under which a stream is counted.
    #[must_use]
    pub(super) fn owner(&self) -> Option<Owner> {
        match &self.user {
            Some(user) => Some((true, user.clone())),
            None => self.client_id.clone().map(|id| (false, id)),
        }
    }

    /// Whether it is to see such an event.
    #[must_use]
    pub(super) fn is_audience(&self, audience: &Audience, private: bool) -> bool {
        match audience {
            Audience::Topics(topics) => {
                selects(&self.topics, topics) && (!private || selects(&self.grants, topics))
            }
            Audience::Users(users) => {
                self.user.as_ref().is_some_and(|name| users.iter().any(|user| **user == **name))
            }
            Audience::All => !private || self.user.is_some(),
        }
    }
}

fn selects(selectors: &[&str], topics: &[Box<str>]) -> bool {
    topics.iter().any(|topic| selectors.iter().any(|selector| is_match(selector, topic)))
}

/// Only what the simulation's selectors need: `*`, one `{…}` that takes a name without a slash, and the text itself.
fn is_match(selector: &str, topic: &str) -> bool {
    if selector == "*" || selector == topic {
        return true;
    }
    let Some((prefix, (_, suffix))) =
        selector.split_once('{').and_then(|(prefix, rest)| Some((prefix, rest.split_once('}')?)))
    else {
        return false;
    };
    let name = topic.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
    name.is_some_and(|name| !name.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_takes_what_it_should() {
        for (selector, topic, expected) in [
            ("*", "news", true),
            ("news", "news", true),
            ("news", "news2", false),
            ("rooms/{id}", "rooms/1", true),
            ("rooms/{id}", "rooms/1/x", false),
            ("rooms/{id}", "other/1", false),
            ("users/{user}/mail", "users/7/mail", true),
            ("users/{user}/mail", "users/7/post", false),
        ] {
            assert_eq!(is_match(selector, topic), expected, "{selector} {topic}");
        }
    }
}
