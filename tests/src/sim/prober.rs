//! A client with odd requests: other methods and paths, bad heads, no token, bodies that never end.

use std::net::IpAddr;
use std::time::Duration;

use super::chance::Draw;
use super::conversation::{Asked, Conversation, Said};
use super::network::{Action, ClientId, Dial, Network, WireId};
use super::tab::{check_status, upload_in_pieces};

/// A request, the statuses that are right for it, and whether it is a `HEAD`.
const REQUESTS: [(&str, &[u16], bool); 12] = [
    ("GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n", &[200], false),
    ("HEAD /healthz HTTP/1.1\r\nHost: hub\r\n\r\n", &[200], true),
    ("HEAD /events HTTP/1.1\r\nHost: hub\r\n\r\n", &[200, 401], true),
    ("OPTIONS /events HTTP/1.1\r\nHost: hub\r\nOrigin: https://app.example\r\n\r\n", &[204], false),
    ("GET /nothing HTTP/1.1\r\nHost: hub\r\n\r\n", &[404], false),
    ("DELETE /events HTTP/1.1\r\nHost: hub\r\n\r\n", &[405], false),
    ("POST /publish HTTP/1.1\r\nHost: hub\r\nContent-Length: 5\r\n\r\nhello", &[401, 503], false),
    (
        "GET /events?topic=corecast:all HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer x\r\n\r\n",
        &[401],
        false,
    ),
    ("nonsense\r\n\r\n", &[400], false),
    ("GET /events HTTP/1.1\r\nHost: hub\r\nContent-Length: 3\r\n\r\nabc", &[400], false),
    ("GET /healthz HTTP/1.0\r\n\r\n", &[200], false),
    (
        "POST /nothing HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        &[404],
        false,
    ),
];

/// See the module.
#[derive(Debug)]
pub(super) struct Prober {
    me: ClientId,
    /// Its present connection.
    pub(super) wire: Option<WireId>,
    conversation: Conversation,
    is_retired: bool,
}

impl Prober {
    /// A prober that has not begun.
    #[must_use]
    pub(super) fn new(me: ClientId) -> Self {
        Self { me, wire: None, conversation: Conversation::default(), is_retired: false }
    }

    /// Asks nothing any more.
    pub(super) const fn retire(&mut self) {
        self.is_retired = true;
    }

    /// Requests without an answer, on a connection that is still there.
    #[must_use]
    pub(super) fn outstanding(&self) -> usize {
        self.wire.map_or(0, |_| self.conversation.outstanding())
    }

    /// Acts by itself.
    pub(super) fn act(&mut self, net: &mut Network) {
        if self.is_retired {
            return;
        }
        if let Some(wire) = self.wire
            && net.chance.draw(Draw::Client).u8(..4) == 0
        {
            net.abandon(wire);
            self.wire = None;
        }
        let wire = self.wire.unwrap_or_else(|| {
            self.conversation = Conversation::default();
            let peer = IpAddr::from([10, 2, 0, 1]);
            net.connect(Dial { client: self.me, peer, tx_capacity: 700 })
        });
        self.wire = Some(wire);
        // One at a time: several of them end the connection.
        if self.conversation.outstanding() == 0 {
            let (request, statuses, is_head) =
                REQUESTS[net.chance.draw(Draw::Client).usize(..REQUESTS.len())];
            self.conversation.ask(Asked::Other { statuses, is_head });
            upload_in_pieces(wire, request.as_bytes(), net);
        }
        let pause = net.chance.time(Draw::Client, Duration::from_millis(10), Duration::from_secs(2));
        net.after(pause, Action::Client(self.me));
    }

    /// Reads from its present connection.
    pub(super) fn on_read(&mut self, bytes: &[u8]) {
        for said in self.conversation.read(bytes) {
            if let Said::Body(asked, head, _) = said
                && head.status != 408
            {
                check_status(&asked, &head);
            }
        }
    }

    /// Its connection has ended.
    pub(super) fn on_end(&mut self, wire: WireId, net: &mut Network) {
        net.abandon(wire);
        self.wire = None;
    }
}
