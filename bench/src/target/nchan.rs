//! nginx with the module nchan, as Debian packages them: one worker, its own configuration, never the system's service.
//!
//! Tokens are nginx's own: links that expire, with a keyed MD5 that `secure_link` verifies without asking anybody. For a
//! JWT it would ask another server (`nchan_authorize_request`).

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use md5::{Digest, Md5};
use rustix::process::{Resource, getrlimit, getuid};
use tempfile::TempDir;

use super::launch;
use super::request;
use super::token::user;
use super::{Audience, Need, Options, Plan, ProcessTree, Running, Subscriber, Target};

const REMEDY: &str = "apt-get install --no-install-recommends nginx libnginx-mod-nchan";

/// What `secure_link` and we know.
const SECRET: &str = "a-key-for-benchmarks-and-for-nothing-else";

/// No benchmark takes longer.
const LINK_TTL: Duration = Duration::from_secs(24 * 3600);

/// What nchan keeps by default.
const HISTORY_EVENTS_MIN: u32 = 10;

/// Its default; messages and subscribers are beyond it where there are many. Only what is used is resident.
const SHARED_BYTES: u64 = 128 << 20;
const SHARED_BYTES_PER_CONNECTION: u64 = 8 << 10;
const SHARED_BYTES_PER_EVENT: u64 = 2 << 10;

/// See the module.
pub(super) struct Nchan {
    nginx: Option<PathBuf>,
}

impl Nchan {
    pub(super) fn new(options: &Options) -> Self {
        Self { nginx: options.nginx.clone() }
    }

    fn nginx(&self) -> anyhow::Result<PathBuf> {
        launch::find_program(self.nginx.as_deref(), "nginx", &[], REMEDY)
    }

    /// The module is where nginx was configured to look for modules.
    fn module(&self) -> anyhow::Result<PathBuf> {
        let said = launch::output_of(Command::new(self.nginx()?).arg("-V"))?;
        let folder = said.split_ascii_whitespace().find_map(|word| word.strip_prefix("--modules-path="));
        let folder = folder.context("nginx -V tells no --modules-path")?;
        let module = Path::new(folder).join("ngx_nchan_module.so");
        if !module.is_file() {
            bail!("{} is not installed: {REMEDY}", module.display());
        }
        Ok(module)
    }
}

impl Target for Nchan {
    fn name(&self) -> &'static str {
        "nchan"
    }

    fn version(&self) -> anyhow::Result<String> {
        self.module()?;
        let nginx = launch::output_of(Command::new(self.nginx()?).arg("-v"))?;
        let nginx = nginx.rsplit('/').next().unwrap_or_default();
        // The module does not tell its version; its package does.
        let package = ["-W", "-f", "${Version}", "libnginx-mod-nchan"];
        let package = launch::output_of(Command::new("dpkg-query").args(package));
        let nchan = package.as_deref().map_or("of unknown version", upstream_version);
        Ok(format!("{nchan} (nginx {nginx})"))
    }

    fn unable(&self, need: Need) -> Option<&'static str> {
        match need {
            Need::Batches => Some("each publishing request is one message"),
            Need::Connections(count) => launch::beyond_nofile(count),
            Need::Streams
            | Need::Users
            | Need::Authorization
            | Need::Resume
            | Need::Heartbeats
            | Need::Lasting(_) => None,
        }
    }

    fn start(&self, plan: &Plan) -> anyhow::Result<Box<dyn Running>> {
        let nginx = self.nginx()?;
        let module = self.module()?;
        let folder = tempfile::tempdir().context("a temporary folder")?;
        let address = SocketAddr::from(([0, 0, 0, 0], launch::free_port()?));
        let config = folder.path().join("nginx.conf");
        let text = configuration(plan, &module, folder.path(), address);
        fs::write(&config, text).with_context(|| config.display().to_string())?;
        // Workers are another user's if nginx is started by root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))
            .with_context(|| folder.path().display().to_string())?;
        let mut command = launch::command(nginx);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&config).args(["-e", "stderr"]);
        let tree = launch::start(&mut command, plan.core)?;
        launch::wait_for_port(&tree, address).context("nginx does not start")?;
        // The port is open before there are workers, whose memory belongs to what there is before any connection.
        launch::wait_for(&tree, "worker", || (tree.ids().len() > plan.workers as usize).then_some(()))
            .context("nginx does not start")?;
        Ok(Box::new(Hub { tree, address, authorized: plan.authorized, _folder: folder }))
    }
}

/// `1.3.6` of `1:1.3.6+dfsg-2`.
fn upstream_version(package: &str) -> &str {
    let version = package.split_once(':').map_or(package, |(_, version)| version);
    version.split(['+', '-']).next().unwrap_or(version)
}

fn configuration(plan: &Plan, module: &Path, folder: &Path, address: SocketAddr) -> String {
    let Plan { connections, workers, event_bytes, authorized, heartbeat_seconds, .. } = plan;
    let nofile = getrlimit(Resource::Nofile).maximum.unwrap_or(1 << 20);
    let worker_connections = connections + connections / 16 + plan.publishers + 256;
    let history_events = plan.history_events.max(plan.log_events).max(HISTORY_EVENTS_MIN);
    let shared_bytes = SHARED_BYTES
        + u64::from(*connections) * SHARED_BYTES_PER_CONNECTION
        + u64::from(history_events) * (SHARED_BYTES_PER_EVENT + u64::from(*event_bytes));
    let shared_mib = shared_bytes.div_ceil(1 << 20);
    let body_bytes = event_bytes.max(&1024);
    // Without it, workers of root's nginx may not enter the temporary folder of nobody else.
    let owner = if getuid().is_root() { "user root root;" } else { "" };
    let (channels, check) = if *authorized {
        ("all $arg_user", SECURE_LINK.replace("SECRET", SECRET))
    } else {
        ("all", String::new())
    };
    let heartbeat = match heartbeat_seconds {
        0 => String::new(),
        // An empty event and a comment: the least that it can send.
        seconds => format!(
            "nchan_eventsource_ping_interval {seconds}; nchan_eventsource_ping_event \"\"; \
             nchan_eventsource_ping_comment \"\";"
        ),
    };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|of| format!("    {of}_temp_path {}/{of};\n", folder.display()))
        .concat();
    format!(
        "{owner}
daemon off;
worker_processes {workers};
worker_rlimit_nofile {nofile};
pid {folder}/nginx.pid;
error_log stderr warn;
load_module {module};
events {{ worker_connections {worker_connections}; multi_accept on; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 24h;
    client_max_body_size {body_bytes};
    client_body_buffer_size {body_bytes};
    nchan_shared_memory_size {shared_mib}M;
{temporary}
    server {{
        listen {address} backlog=65535;
        location = /events {{
            {check}
            nchan_subscriber eventsource;
            nchan_channel_id {channels};
            nchan_subscriber_first_message newest;
            {heartbeat}
        }}
        location = /publish {{
            nchan_publisher;
            nchan_channel_id $arg_to;
            nchan_message_buffer_length {history_events};
            nchan_message_timeout 24h;
        }}
    }}
}}
",
        folder = folder.display(),
        module = module.display(),
    )
}

/// Refuses links that are not ours, not this user's, or expired.
const SECURE_LINK: &str = "secure_link $arg_md5,$arg_expires;
            secure_link_md5 \"$secure_link_expires $arg_user SECRET\";
            if ($secure_link = \"\") { return 403; }
            if ($secure_link = \"0\") { return 410; }";

struct Hub {
    tree: ProcessTree,
    address: SocketAddr,
    authorized: bool,
    // Last: the files go when the process is gone.
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
        self.address
    }

    fn subscribe_request(&self, subscriber: &Subscriber<'_>) -> Vec<u8> {
        let target = if self.authorized { link(&user(subscriber.user)) } else { "/events".to_owned() };
        request::get(&target, &request::last_event_id(subscriber.last_event_id))
    }

    fn publish_request(&self, to: Audience, data: &[u8], out: &mut Vec<u8>) {
        let target = match to {
            Audience::All => "/publish?to=all".to_owned(),
            Audience::User(number) => format!("/publish?to={}", user(number)),
        };
        request::post(&target, "Content-Type: text/plain\r\n", data, out);
    }

    fn publish_batch(&self, events: &[(Audience, &[u8])], out: &mut Vec<u8>) {
        // It has none; the same as requests one after another.
        for &(to, data) in events {
            self.publish_request(to, data, out);
        }
    }
}

/// Where `user` subscribes, until the link expires.
fn link(user: &str) -> String {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let expires = (since_epoch + LINK_TTL).as_secs();
    let md5 = Md5::digest(format!("{expires} {user} {SECRET}"));
    format!("/events?user={user}&expires={expires}&md5={}", BASE64_URL_SAFE_NO_PAD.encode(md5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_nchan_and_not_of_its_package() {
        for (package, expected) in [("1:1.3.6+dfsg-2", "1.3.6"), ("1.3.7-1", "1.3.7"), ("1.4", "1.4")] {
            assert_eq!(upstream_version(package), expected);
        }
    }
}
