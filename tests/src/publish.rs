//! Publishing as an application's backend does it: one kept connection, one request after another.

use std::net::SocketAddr;

use serde_json::Value;

use crate::exchange::{Answer, Client};
use crate::token::Token;

/// A publisher with a kept connection.
#[derive(Debug)]
pub struct Publisher {
    client: Client,
    token: String,
}

impl Publisher {
    /// One that may publish everything.
    #[must_use]
    pub fn connect(addr: SocketAddr) -> Self {
        Self::with_token(addr, &Token::publisher().sign())
    }

    /// One with a token of the test's choice.
    #[must_use]
    pub fn with_token(addr: SocketAddr, token: &str) -> Self {
        Self { client: Client::connect(addr), token: token.to_owned() }
    }

    /// Publishes an event and gives its id.
    ///
    /// # Panics
    /// If it is refused.
    pub fn publish(&mut self, event: &Value) -> String {
        let answer = self.try_publish(event);
        assert_eq!(answer.status(), 200, "{event}: {}", answer.text());
        answer.json()["id"].as_str().unwrap_or_else(|| panic!("no id in {}", answer.text())).to_owned()
    }

    /// Publishes `data` to one topic and gives its id.
    pub fn to_topic(&mut self, topic: &str, data: &str) -> String {
        self.publish(&serde_json::json!({"topics": [topic], "data": data}))
    }

    /// Publishes an event that may be refused.
    pub fn try_publish(&mut self, event: &Value) -> Answer {
        self.post("/publish", "application/json", event.to_string().as_bytes())
    }

    /// Posts any body to any target.
    pub fn post(&mut self, target: &str, content_type: &str, body: &[u8]) -> Answer {
        let request = request(target, &self.token, content_type, body);
        self.client.try_send(&request);
        self.client.read_answer()
    }
}

/// A publish request as bytes.
#[must_use]
pub fn request(target: &str, token: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    request_with(target, token, content_type, &[], body)
}

/// As `request`, with more header fields.
#[must_use]
pub fn request_with(
    target: &str,
    token: &str,
    content_type: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut request = format!(
        "POST {target} HTTP/1.1\r\nHost: hub.test\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: {content_type}\r\nContent-Length: {}\r\n{fields}\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}
