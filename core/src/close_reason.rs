//! Why a connection ended: one closed list, matched exhaustively.
//!
//! Here also what each reason is called in metrics and how loudly it is logged. Not here: the bytes a client is
//! told it with (`http::control`, `http::response`).

/// Why a connection ended. In the order of a connection's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The peer closed or reset it.
    PeerGone,
    /// An HTTP exchange was over and the connection not to be kept.
    Done,
    /// The peer sent what is no acceptable HTTP.
    BadRequest,
    /// A request was not complete at its deadline.
    RequestTimeout,
    /// A kept connection without a request, or a stream on which nothing moved.
    IdleTimeout,
    /// It went on at its home shard.
    Moved,
    /// The process had as many streams as it may have.
    ConnectionLimit,
    /// Its user had as many streams as one may have.
    UserLimit,
    /// Its peer address had as many streams as one may have.
    AddressLimit,
    /// A newer stream of the same user took its place.
    Evicted,
    /// A newer stream with the same `client_id` took its place.
    Replaced,
    /// It read so slowly that what it had yet to read fell off the history.
    SlowConsumer,
    /// What it had yet to read could not be read from the log.
    LogUnreadable,
    /// It took no bytes for `dead_peer`.
    DeadPeer,
    /// Its token ended.
    TokenExpired,
    /// It reached `max_age`.
    MaxAge,
    /// An operator ended it.
    Disconnected,
    /// The hub is stopping.
    Drain,
}

impl CloseReason {
    /// How many reasons there are: tables are indexed by `index`.
    pub const COUNT: usize = Self::ALL.len();

    /// Every reason, in order.
    pub const ALL: [Self; 18] = [
        Self::PeerGone,
        Self::Done,
        Self::BadRequest,
        Self::RequestTimeout,
        Self::IdleTimeout,
        Self::Moved,
        Self::ConnectionLimit,
        Self::UserLimit,
        Self::AddressLimit,
        Self::Evicted,
        Self::Replaced,
        Self::SlowConsumer,
        Self::LogUnreadable,
        Self::DeadPeer,
        Self::TokenExpired,
        Self::MaxAge,
        Self::Disconnected,
        Self::Drain,
    ];

    /// Its place in `ALL`.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name in metrics, logs and the data of control events.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::PeerGone => "peer_gone",
            Self::Done => "done",
            Self::BadRequest => "bad_request",
            Self::RequestTimeout => "request_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::Moved => "moved",
            Self::ConnectionLimit => "connection_limit",
            Self::UserLimit => "user_limit",
            Self::AddressLimit => "address_limit",
            Self::Evicted => "evicted",
            Self::Replaced => "replaced",
            Self::SlowConsumer => "slow_consumer",
            Self::LogUnreadable => "log_unreadable",
            Self::DeadPeer => "dead_peer",
            Self::TokenExpired => "token_expired",
            Self::MaxAge => "max_age",
            Self::Disconnected => "disconnected",
            Self::Drain => "drain",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stands_at_its_own_index() {
        for (index, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index, "{}", reason.label());
        }
    }
}
