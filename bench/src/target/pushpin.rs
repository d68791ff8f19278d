//! Pushpin, as Debian packages it: a proxy that holds streams which the application behind it has accepted.
//!
//! All of its processes are measured. The application is not: a [`Responder`] in the load generator, which verifies tokens
//! and names channels. Another passes publishing requests on, since Pushpin closes the connection after each.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use corecast_core::auth::{Keys, Verifier};
use tempfile::TempDir;

use super::launch;
use super::request;
use super::responder::{Request, Responder};
use super::token::{HMAC_KEY, now, subscriber_token, user};
use super::{Audience, Need, Options, Plan, ProcessTree, Running, Subscriber, Target};

const REMEDY: &str = "apt-get install --no-install-recommends pushpin";

/// Its default; a larger event needs more.
const CLIENT_BUFFER_BYTES: u32 = 8192;

/// With 200 at once its parts lose count of each other's messages and cancel some ("received message out of sequence"),
/// with 64 they do not.
const CONNECTING_MAX: u32 = 32;

/// The settings that its parts share among themselves.
const INTERNAL: &str = "/usr/lib/pushpin/internal.conf";

/// A publishing request is answered at once, or never.
const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
pub(super) struct Pushpin {
    binary: Option<PathBuf>,
}

impl Pushpin {
    pub(super) fn new(options: &Options) -> Self {
        Self { binary: options.pushpin.clone() }
    }

    fn binary(&self) -> anyhow::Result<PathBuf> {
        launch::find_program(self.binary.as_deref(), "pushpin", &[], REMEDY)
    }
}

impl Target for Pushpin {
    fn name(&self) -> &'static str {
        "pushpin"
    }

    fn version(&self) -> anyhow::Result<String> {
        let said = launch::output_of(Command::new(self.binary()?).arg("--version"))?;
        Ok(said.trim_start_matches("pushpin ").to_owned())
    }

    fn unable(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Resume => Some("it has no history: who comes back is the application's to serve"),
            Need::Connections(count) => launch::beyond_nofile(count),
            Need::Streams
            | Need::Users
            | Need::Authorization
            | Need::Heartbeats
            | Need::Batches
            | Need::Lasting(_) => None,
        }
    }

    fn connecting_max(&self) -> Option<u32> {
        Some(CONNECTING_MAX)
    }

    fn start(&self, plan: &Plan) -> anyhow::Result<Box<dyn Running>> {
        let binary = self.binary()?;
        let folder = tempfile::tempdir().context("a temporary folder")?;
        let application = application(plan)?;
        let address = SocketAddr::from(([0, 0, 0, 0], launch::free_port()?));
        let control = SocketAddr::from((Ipv4Addr::LOCALHOST, launch::free_port()?));
        let config = folder.path().join("pushpin.conf");
        let routes = folder.path().join("routes");
        let text = configuration(plan, folder.path(), &routes, address, control);
        fs::write(&config, text).with_context(|| config.display().to_string())?;
        fs::write(&routes, format!("* {}\n", application.address()))
            .with_context(|| routes.display().to_string())?;
        let mut command = launch::command(binary);
        command.arg("--config").arg(&config).arg("--merge-output");
        let tree = launch::start(&mut command, plan.core)?;
        launch::wait_for_port(&tree, address).context("pushpin does not start")?;
        launch::wait_for_port(&tree, control).context("pushpin does not start")?;
        let relay = Responder::start("relay", move |request| pass_on(control, request.bytes))?;
        let hub = Hub {
            tree,
            address,
            authorized: plan.authorized,
            relay,
            _application: application,
            _folder: folder,
        };
        // Its ports are open before its parts have found each other; a request that comes too early waits for ever.
        let subscribe = hub.subscribe_request(&Subscriber { user: u32::MAX, last_event_id: None });
        launch::wait_for(&hub.tree, "stream", || {
            launch::status_of(address, &subscribe).is_ok_and(|status| status == 200).then_some(())
        })
        .context("pushpin does not start")?;
        Ok(Box::new(hub))
    }
}

/// Its defaults but for folders, ports, and limits: it would send 2,500 events per second, and drop the 25,001st that waits.
fn configuration(
    plan: &Plan,
    folder: &Path,
    routes: &Path,
    address: SocketAddr,
    control: SocketAddr,
) -> String {
    let folder = folder.display();
    let connections = plan.connections + plan.connections / 16 + 64;
    let buffer_bytes = CLIENT_BUFFER_BYTES.max((plan.event_bytes + 1024).next_power_of_two());
    let body_bytes = 64 * plan.event_bytes.max(16 << 10);
    format!(
        "[global]
include={INTERNAL}
rundir={folder}
ipc_prefix=pushpin-
port_offset=0
stats_connection_ttl=120

[runner]
services=condure,zurl,pushpin-proxy,pushpin-handler
http_port={address}
logdir={folder}
log_level=1
client_buffer_size={buffer_bytes}
client_maxconn={connections}
condure_bin=condure
zurl_bin=zurl

[proxy]
routesfile={routes}
zurl_out_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-in
zurl_out_stream_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-in-stream
zurl_in_specs=ipc://{{rundir}}/{{ipc_prefix}}zurl-out
sig_iss=pushpin
sig_key=changeme

[handler]
push_in_spec=ipc://{{rundir}}/{{ipc_prefix}}push-in
push_in_sub_specs=ipc://{{rundir}}/{{ipc_prefix}}push-in-sub
push_in_http_addr={control_ip}
push_in_http_port={control_port}
push_in_http_max_headers_size=10000
push_in_http_max_body_size={body_bytes}
stats_spec=ipc://{{rundir}}/{{ipc_prefix}}stats
command_spec=ipc://{{rundir}}/{{ipc_prefix}}command
message_rate=1000000000
message_hwm=1000000000
message_wait=5000
id_cache_ttl=60
connection_subscription_max=20
subscription_linger=60
stats_connection_ttl=120
stats_subscription_ttl=60
stats_report_interval=10
",
        routes = routes.display(),
        control_ip = control.ip(),
        control_port = control.port(),
    )
}

/// What stands behind Pushpin: it accepts each stream, for the user of the token if there are tokens.
fn application(plan: &Plan) -> anyhow::Result<Responder> {
    let (authorized, seconds) = (plan.authorized, plan.heartbeat_seconds);
    let mut keys = Keys::new();
    keys.add_secret(HMAC_KEY.as_bytes()).context("a key")?;
    let verifier = Mutex::new(Verifier::new(keys, 0, fastrand::u64(..)));
    let heartbeat = if seconds == 0 {
        String::new()
    } else {
        format!("Grip-Keep-Alive: :\\n; format=cstring; timeout={seconds}\r\n")
    };
    Responder::start("application", move |request| {
        let channel = if authorized {
            let Some(user) = user_of(&verifier, request) else {
                return b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec();
            };
            format!("Grip-Channel: {user}\r\n")
        } else {
            String::new()
        };
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\
             Grip-Hold: stream\r\nGrip-Channel: all\r\n{channel}{heartbeat}Content-Length: 2\r\n\r\n:\n"
        )
        .into_bytes()
    })
}

fn user_of(verifier: &Mutex<Verifier>, request: &Request<'_>) -> Option<String> {
    let authorized =
        verifier.lock().unwrap_or_else(PoisonError::into_inner).verify(request.token?, now()).ok()?;
    authorized.user().map(str::to_owned)
}

/// Sends a publishing request on a connection of its own, and gives its answer a length, so that there can be another.
fn pass_on(control: SocketAddr, request: &[u8]) -> Vec<u8> {
    let exchange = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(control)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        stream.write_all(request)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let status = match exchange() {
        Ok(answer) => String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned(),
        Err(error) => format!("HTTP/1.1 502 {error}"),
    };
    format!("{status}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

struct Hub {
    // First: its processes end before what they talk to.
    tree: ProcessTree,
    address: SocketAddr,
    authorized: bool,
    relay: Responder,
    _application: Responder,
    // Last: the files go when the processes are gone.
    _folder: TempDir,
}

impl Running for Hub {
    fn tree(&self) -> &ProcessTree {
        &self.tree
    }

    fn subscribe_address(&self) -> SocketAddr {
        self.address
    }

    fn publish_address(&self) -> SocketAddr {
        self.relay.address()
    }

    fn subscribe_request(&self, subscriber: &Subscriber<'_>) -> Vec<u8> {
        let token = self.authorized.then(|| subscriber_token(subscriber.user));
        request::get("/events", &request::bearer(token.as_deref()))
    }

    fn publish_request(&self, to: Audience, data: &[u8], out: &mut Vec<u8>) {
        self.publish_batch(&[(to, data)], out);
    }

    fn publish_batch(&self, events: &[(Audience, &[u8])], out: &mut Vec<u8>) {
        let mut body = b"{\"items\":[".to_vec();
        for (index, &(to, data)) in events.iter().enumerate() {
            let channel = match to {
                Audience::All => "all".to_owned(),
                Audience::User(number) => user(number),
            };
            let comma = if index == 0 { "" } else { "," };
            let item =
                format!("{comma}{{\"channel\":\"{channel}\",\"formats\":{{\"http-stream\":{{\"content\":");
            body.extend_from_slice(item.as_bytes());
            request::json_string(&[b"data: ", data, b"\n\n"].concat(), &mut body);
            body.extend_from_slice(b"}}}");
        }
        body.extend_from_slice(b"]}");
        request::post("/publish", "Content-Type: application/json\r\n", &body, out);
    }
}
