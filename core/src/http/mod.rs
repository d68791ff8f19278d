//! HTTP/1.1 and 1.0, without I/O: request heads, bodies, responses, what a publisher posts.
//!
//! In: `parse` reads a head, `BodyDecoder` a body, `SubscribeQuery` and `publish` what they ask for.
//! Out: `Response` is a complete answer, `StreamHead` begins an event stream, `control` are the hub's own events on it.
//! Everything from outside is bounded, and refused by a plain enum that knows its status, code and message.
//! Not here: routes, grants and connections; they are the engine's.

mod excerpt;
mod status;

pub mod head;
pub mod cookie;
pub mod credentials;
pub mod forwarded;
pub mod query;
pub mod body;
pub mod publish;
pub mod idempotency_key;

mod json;
pub mod cors;
pub mod response;
pub mod asset;
pub mod control;

pub use self::asset::Asset;
pub use self::body::{BodyDecoder, BodyError, Decoded};
pub use self::cors::Cors;
pub use self::credentials::Credentials;
pub use self::excerpt::Excerpt;
pub use self::head::{BodyLength, HeadError, Method, Request, Version, parse};
pub use self::publish::PublishError;
pub use self::query::{QueryError, SubscribeQuery};
pub use self::response::{CONTINUE, Challenge, Response, StreamHead};
pub use self::status::Status;
