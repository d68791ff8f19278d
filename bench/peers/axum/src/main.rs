#![forbid(unsafe_code)]
//! The hub that a good user of axum writes in an afternoon: `Sse` over tokio's channels, to be measured beside corecast.
//!
//! Done as well as its parts allow: no delay in TCP, a deep queue of connections, each event parsed once and shared until
//! axum writes it for a stream. Not here: history, limits, metrics, and anything else that takes longer than an
//! afternoon.

mod hub;
mod routes;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::serve::ListenerExt;
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};

use hub::Hub;
use routes::App;

/// The version of axum that this is built with; a test holds it to `Cargo.lock`.
const AXUM_VERSION: &str = "0.8.9";

/// As many as come back at once; the kernel bounds it by net.core.somaxconn.
const BACKLOG: u32 = 65_535;

#[derive(Debug, Parser)]
#[command(version = AXUM_VERSION, about)]
struct Args {
    /// Where to listen; port 0 is one that is free. The address is then told on standard error.
    #[arg(long)]
    listen: SocketAddr,
    /// Threads that serve.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// The shared secret of tokens (HS256).
    #[arg(long)]
    hmac_key: String,
    /// Whether a stream may be opened without a token.
    #[arg(long)]
    anonymous: bool,
    /// Seconds of silence until a comment is sent.
    #[arg(long, default_value_t = 15)]
    heartbeat: u64,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    raise_nofile()?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(args.workers.max(1)).enable_all().build().context("the runtime")?;
    // Spawned, so that connections are accepted by a worker: the main thread would wake one for each.
    runtime.block_on(runtime.spawn(serve(args))).context("the server")?
}

async fn serve(args: Args) -> anyhow::Result<()> {
    let listener = listen(args.listen).with_context(|| format!("cannot listen on {}", args.listen))?;
    writeln!(std::io::stderr(), "listening on {}", listener.local_addr()?)?;
    let listener = listener.tap_io(|connection| {
        // It fails only if the peer is gone, which the next read tells.
        let _ = connection.set_nodelay(true);
    });
    let app = App::new(Arc::new(Hub::new()), args.hmac_key.as_bytes(), args.anonymous, args.heartbeat);
    Ok(axum::serve(listener, routes::router(app)).await?)
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Each stream needs a descriptor, and the soft limit is often 1,024.
fn raise_nofile() -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("the limit of open files")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_lock_file() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../Cargo.lock");
        let lock = std::fs::read_to_string(path).unwrap();
        let entry = format!("name = \"axum\"\nversion = \"{AXUM_VERSION}\"\n");
        assert!(lock.contains(&entry), "Cargo.lock has another version than {AXUM_VERSION}");
    }
}
