//! Selectors: any text is parsed or refused, and what matches agrees with what a selector says about itself.

use corecast_core::limits::TOPIC_BYTES_MAX;
use corecast_core::selector::Selector;

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "selector",
    run,
    seeds: &[b"orders/{id}\norders/7", b"*\nnews", b"{+rest}{?a,b*}\nx/y?a=1&b=2"],
};

/// The input is a selector, a line end and a topic.
fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, topic) = text.split_once('\n').unwrap_or((text, text));
    let Ok(selector) = Selector::parse(text) else { return };
    assert_eq!(selector.as_str(), text);
    assert_eq!(Selector::parse(text).as_ref(), Ok(&selector));
    assert!(selector.matches(text), "a selector matches itself");
    if selector.matches(topic) {
        assert!(topic.starts_with(selector.literal_prefix()));
        assert!(selector == Selector::Any || topic.len() <= TOPIC_BYTES_MAX);
    }
}
