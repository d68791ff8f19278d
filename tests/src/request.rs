//! The subscribe request as bytes: each part of it is the test's to choose.

/// `GET /events`, as a browser would send it unless told otherwise.
#[derive(Clone, Debug)]
pub struct Subscribe {
    method: &'static str,
    version: u8,
    path: &'static str,
    query: Vec<(&'static str, String)>,
    fields: Vec<(&'static str, String)>,
    accepts_stream: bool,
}

impl Default for Subscribe {
    fn default() -> Self {
        Self::new()
    }
}

impl Subscribe {
    /// An anonymous subscription without topics.
    #[must_use]
    pub fn new() -> Self {
        let (query, fields) = (Vec::new(), Vec::new());
        Self { method: "GET", version: 1, path: "/events", query, fields, accepts_stream: true }
    }

    /// A subscription to one topic or template.
    #[must_use]
    pub fn to(topic: &str) -> Self {
        Self::new().topic(topic)
    }

    /// A subscription with a token in the `Authorization` field.
    #[must_use]
    pub fn with_token(token: &str) -> Self {
        Self::new().bearer(token)
    }

    /// Adds a selector.
    #[must_use]
    pub fn topic(self, topic: &str) -> Self {
        self.query("topic", topic)
    }

    /// Adds a query parameter; the value is percent-encoded here.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: &str) -> Self {
        self.query.push((name, percent_encoded(value)));
        self
    }

    /// Adds a header field, verbatim.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    /// Adds the token as a browser page cannot: in a header field.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.field("Authorization", &format!("Bearer {token}"))
    }

    /// Names the tab.
    #[must_use]
    pub fn client_id(self, id: &str) -> Self {
        self.query("client_id", id)
    }

    /// Asks to go on behind this event.
    #[must_use]
    pub fn last_event_id(self, id: &str) -> Self {
        self.field("Last-Event-ID", id)
    }

    /// Speaks HTTP/1.0.
    #[must_use]
    pub fn http_1_0(mut self) -> Self {
        self.version = 0;
        self
    }

    /// Uses another method.
    #[must_use]
    pub fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    /// Sends no `Accept: text/event-stream`, as scripts and probes do.
    #[must_use]
    pub fn without_accept(mut self) -> Self {
        self.accepts_stream = false;
        self
    }

    /// Whether the method is `HEAD`, whose answer has no body.
    #[must_use]
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        let mut head =
            format!("{} {}{mark}{} HTTP/1.{}\r\n", self.method, self.path, query.join("&"), self.version);
        head.push_str("Host: hub.test\r\n");
        if self.accepts_stream {
            head.push_str("Accept: text/event-stream\r\n");
        }
        for (name, value) in &self.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// Everything but unreserved characters (RFC 3986 §2.3) encoded.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte as char),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_encoded_as_given() {
        let request = Subscribe::to("chat/{room}").client_id("tab 1").last_event_id("x-1").http_1_0();
        assert_eq!(
            String::from_utf8(request.encode()).unwrap(),
            "GET /events?topic=chat%2F%7Broom%7D&client_id=tab%201 HTTP/1.0\r\nHost: hub.test\r\n\
             Accept: text/event-stream\r\nLast-Event-ID: x-1\r\n\r\n"
        );
    }
}
