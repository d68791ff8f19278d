//! What a demo hub says of itself to its page: how many streams it has, whenever that has changed.
//!
//! As any publisher would: the metrics page is read, and an ephemeral event posted. A look that fails is left out.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::http_client;

/// Both the topic and the type of these events.
const TOPIC: &str = "corecast-dev/streams";

const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Somebody who opens the page sees the figure within this, changed or not.
const SAY_ANYWAY: u32 = 3;

/// The metrics page of a small hub.
const METRICS_BYTES_MAX: u64 = 4 << 20;

/// Goes on for as long as the process does. `token` grants publishing.
#[expect(clippy::disallowed_methods, reason = "nobody waits for it: it is a clock")]
pub(super) fn tell(hub: SocketAddr, admin: SocketAddr, token: String) {
    let told = thread::Builder::new().name("dev-streams".to_owned()).spawn(move || {
        let agent = http_client::config().timeout_global(Some(LOOK_INTERVAL)).build().new_agent();
        let (publish, metrics) = (format!("http://{hub}/publish"), format!("http://{admin}/metrics"));
        let mut last = (None, 0);
        loop {
            thread::sleep(LOOK_INTERVAL);
            let Some(streams) = count(&agent, &metrics) else { continue };
            last = if last.0 == Some(streams) { (last.0, last.1 + 1) } else { (Some(streams), 0) };
            if last.1 % SAY_ANYWAY == 0 {
                let event = json!({
                    "topics": [TOPIC], "type": TOPIC, "ephemeral": true, "data": {"streams": streams},
                });
                let request = agent.post(&publish).header("Authorization", format!("Bearer {token}"));
                drop(request.content_type("application/json").send(event.to_string()));
            }
        }
    });
    if let Err(error) = told {
        tracing::warn!(%error, "the page will not show how many streams there are");
    }
}

fn count(agent: &ureq::Agent, metrics: &str) -> Option<u64> {
    let mut answer = agent.get(metrics).call().ok()?;
    let page = answer.body_mut().with_config().limit(METRICS_BYTES_MAX).read_to_string().ok()?;
    streams_in(&page)
}

/// The sum of `sse_active_connections` over its labels, if it is there.
fn streams_in(page: &str) -> Option<u64> {
    let samples = page.lines().filter(|line| line.split(['{', ' ']).next() == Some("sse_active_connections"));
    let values = samples.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    values.fold(None, |sum, value| Some(sum.unwrap_or(0) + value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_counted_over_all_labels() {
        let page = "# TYPE sse_active_connections gauge\nsse_active_connections{shard=\"0\"} 3\n\
                    sse_active_connections{shard=\"1\"} 4\nsse_active_connections_max 9\n# EOF\n";
        assert_eq!(streams_in(page), Some(7));
        assert_eq!(streams_in("sse_active_connections 2\n"), Some(2));
        assert_eq!(streams_in("# EOF\n"), None);
    }
}
