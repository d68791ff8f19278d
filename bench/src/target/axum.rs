//! The hub that one writes by hand with axum: `bench/peers/axum`.
//!
//! Not here: what it does.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use super::launch;
use super::request;
use super::token::{HMAC_KEY, subscriber_token, token, user};
use super::{Audience, Need, Options, Plan, ProcessTree, Running, Subscriber, Target};

/// See the module.
pub(super) struct Axum {
    binary: Option<PathBuf>,
}

impl Axum {
    pub(super) fn new(options: &Options) -> Self {
        Self { binary: options.axum.clone() }
    }

    fn binary(&self) -> anyhow::Result<PathBuf> {
        let remedy = "cargo build --release --package corecast-bench-axum";
        launch::find_program(
            self.binary.as_deref(),
            "corecast-bench-axum",
            &[launch::release_folder()?],
            remedy,
        )
    }
}

impl Target for Axum {
    fn name(&self) -> &'static str {
        "axum"
    }

    fn version(&self) -> anyhow::Result<String> {
        let said = launch::output_of(Command::new(self.binary()?).arg("--version"))?;
        Ok(said.trim_start_matches("corecast-bench-axum ").to_owned())
    }

    fn unable(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Resume => Some("written by hand, it has no history"),
            Need::Connections(count) => launch::beyond_nofile(count),
            Need::Streams
            | Need::Users
            | Need::Authorization
            | Need::Heartbeats
            | Need::Batches
            | Need::Lasting(_) => None,
        }
    }

    fn start(&self, plan: &Plan) -> anyhow::Result<Box<dyn Running>> {
        let mut command = launch::command(self.binary()?);
        command.args(["--listen", "0.0.0.0:0", "--hmac-key", HMAC_KEY]);
        command.args(["--workers", &plan.workers.to_string()]);
        command.args(["--heartbeat", &plan.heartbeat_seconds.to_string()]);
        if !plan.authorized {
            command.arg("--anonymous");
        }
        let tree = launch::start(&mut command, plan.core)?;
        let address = launch::wait_for(&tree, "line that tells its address", || {
            tree.find_said(|line| line.strip_prefix("listening on ")?.parse().ok())
        })
        .context("corecast-bench-axum does not start")?;
        Ok(Box::new(Hub { tree, address, publisher: token("publisher", &[])?, authorized: plan.authorized }))
    }
}

struct Hub {
    tree: ProcessTree,
    address: SocketAddr,
    publisher: String,
    authorized: bool,
}

impl Running for Hub {
    fn tree(&self) -> &ProcessTree {
        &self.tree
    }

    fn subscribe_address(&self) -> SocketAddr {
        self.address
    }

    fn publish_address(&self) -> SocketAddr {
        self.address
    }

    fn subscribe_request(&self, subscriber: &Subscriber<'_>) -> Vec<u8> {
        let token = self.authorized.then(|| subscriber_token(subscriber.user));
        request::get("/events", &request::bearer(token.as_deref()))
    }

    fn publish_request(&self, to: Audience, data: &[u8], out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(data.len() + 64);
        draft(to, data, &mut body);
        self.post("/publish", &body, out);
    }

    fn publish_batch(&self, events: &[(Audience, &[u8])], out: &mut Vec<u8>) {
        let mut body = Vec::new();
        for &(to, data) in events {
            body.push(if body.is_empty() { b'[' } else { b',' });
            draft(to, data, &mut body);
        }
        body.push(b']');
        self.post("/publish-batch", &body, out);
    }
}

impl Hub {
    fn post(&self, path: &str, body: &[u8], out: &mut Vec<u8>) {
        let fields = format!("Content-Type: application/json\r\n{}", request::bearer(Some(&self.publisher)));
        request::post(path, &fields, body, out);
    }
}

/// An event in JSON.
fn draft(to: Audience, data: &[u8], out: &mut Vec<u8>) {
    match to {
        Audience::All => out.extend_from_slice(b"{\"data\":"),
        Audience::User(number) => {
            out.extend_from_slice(format!("{{\"user\":\"{}\",\"data\":", user(number)).as_bytes());
        }
    }
    request::json_string(data, out);
    out.push(b'}');
}
