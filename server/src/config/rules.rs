//! Rules about more than one setting: pairs that cannot work together, keys that are missing or unusable.

use std::net::SocketAddr;
use std::path::Path;

use super::LogKind;
use super::keys::{self, KeyError};
use super::load::{Merged, Purpose};
use super::problem::{Fault, Origin, Problem, Warning};
use super::units::{show_bytes, show_duration};

/// nginx, load balancers and some clients cut a stream that is silent for 30 to 60 s (sse-clients.md §7).
const HEARTBEAT_SAFE_SECS: u64 = 25;

/// Go's `r3labs/sse` scans lines with a 64 KiB buffer (sse-clients.md §1, rule 9).
const EVENT_BYTES_SAFE: u32 = 65_536;

/// Checks `merged` as a whole.
pub(super) fn check(
    merged: &Merged,
    purpose: Purpose,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Warning>,
) {
    check_listeners(merged, problems);
    check_admin(merged, problems, warnings);
    check_heartbeat(merged, problems, warnings);
    check_sizes(merged, problems, warnings);
    check_log(merged, problems, warnings);
    check_limits(merged, warnings);
    check_key_pairs(merged, problems);
    check_key_files(merged, problems, warnings);
    check_keys_present(merged, purpose, problems);
}

/// Two settings by name, if both have values to judge.
fn sound_pair(merged: &Merged, a: (&str, &str), b: (&str, &str)) -> Option<Origin> {
    let is_sound = merged.is_sound(a.0, a.1) && merged.is_sound(b.0, b.1);
    // The higher layer is the one that made the pair impossible.
    is_sound.then(|| merged.origin(a.0, a.1).max(merged.origin(b.0, b.1)))
}

fn check_listeners(merged: &Merged, problems: &mut Vec<Problem>) {
    let (hub, admin) = (merged.config.hub.listen, merged.config.admin.listen);
    let Some(origin) = sound_pair(merged, ("admin", "listen"), ("hub", "listen")) else { return };
    if overlap(hub, admin) {
        let text = format!("admin.listen = \"{admin}\" collides with hub.listen = \"{hub}\"");
        problems.push(Problem { origin, fault: Fault::Pair(text) });
    }
}

/// Whether two listeners would take the same port of the same address. Port 0 is a different one each time.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    // Linux gives IPv4 connections to a listener on [::] too, unless told otherwise.
    let covers = |wide: SocketAddr, other: SocketAddr| {
        wide.ip().is_unspecified() && (wide.is_ipv6() || other.is_ipv4())
    };
    a.port() == b.port() && a.port() != 0 && (a.ip() == b.ip() || covers(a, b) || covers(b, a))
}

fn check_admin(merged: &Merged, problems: &mut Vec<Problem>, warnings: &mut Vec<Warning>) {
    let admin = &merged.config.admin;
    let is_sound = ["token", "token_file"].iter().all(|key| merged.is_sound("admin", key));
    if admin.token.is_some() && admin.token_file.is_some() {
        let origin = merged.origin("admin", "token").max(merged.origin("admin", "token_file"));
        let text = "admin.token and admin.token_file are both set: only one of them can be".to_owned();
        problems.push(Problem { origin, fault: Fault::Pair(text) });
    } else if is_sound {
        check_admin_token(merged, problems, warnings);
    }
    let has_token = admin.token.is_some() || admin.token_file.is_some();
    let may_be_missing = merged.is_sound("admin", "listen") && is_sound && !merged.is_partial;
    if may_be_missing && !has_token && !admin.listen.ip().is_loopback() {
        let text = format!(
            "admin.listen = \"{}\" can be reached from elsewhere: set admin.token_file (or admin.token), or listen on 127.0.0.1",
            admin.listen
        );
        problems.push(Problem { origin: merged.origin("admin", "listen"), fault: Fault::Pair(text) });
    }
}

fn check_admin_token(merged: &Merged, problems: &mut Vec<Problem>, warnings: &mut Vec<Warning>) {
    let admin = &merged.config.admin;
    if let Some(path) = &admin.token_file
        && keys::read_hmac_key(path).is_ok_and(|key| key.is_world_readable)
    {
        warnings.push(Warning {
            origin: merged.origin("admin", "token_file"),
            text: format!("every user of this machine can read {}: chmod 640 it", path.display()),
        });
    }
    if let Err(cause) = merged.config.admin_token() {
        let (name, key, value) = match &admin.token_file {
            Some(path) => ("admin.token_file", "token_file", format!("\"{}\"", path.display())),
            None => ("admin.token", "token", "<set>".to_owned()),
        };
        problems
            .push(Problem { origin: merged.origin("admin", key), fault: Fault::Key { name, value, cause } });
    }
}

fn check_heartbeat(merged: &Merged, problems: &mut Vec<Problem>, warnings: &mut Vec<Warning>) {
    let stream = &merged.config.stream;
    let Some(heartbeat) = stream.heartbeat else { return };
    let shown = show_duration(heartbeat);
    if let Some(origin) = sound_pair(merged, ("stream", "heartbeat"), ("stream", "dead_peer"))
        && heartbeat >= stream.dead_peer
    {
        let other = show_duration(stream.dead_peer);
        let text =
            format!("stream.heartbeat = \"{shown}\" must be shorter than stream.dead_peer = \"{other}\"");
        problems.push(Problem { origin, fault: Fault::Pair(text) });
    }
    if let Some(idle) = stream.idle_timeout.filter(|idle| heartbeat >= *idle) {
        warnings.push(Warning {
            origin: merged.origin("stream", "idle_timeout"),
            text: format!(
                "stream.idle_timeout = \"{}\" is not above stream.heartbeat = \"{shown}\": every quiet stream will be \
                 closed, and come back",
                show_duration(idle)
            ),
        });
    }
    if heartbeat.as_secs() > HEARTBEAT_SAFE_SECS {
        warnings.push(Warning {
            origin: merged.origin("stream", "heartbeat"),
            text: format!(
                "stream.heartbeat = \"{shown}\" is above {HEARTBEAT_SAFE_SECS}s: some proxies and clients cut \
                 streams that are silent for 30s"
            ),
        });
    }
}

fn check_sizes(merged: &Merged, problems: &mut Vec<Problem>, warnings: &mut Vec<Warning>) {
    let (event, history) = (merged.config.limits.event_bytes, merged.config.history.bytes);
    if let Some(origin) = sound_pair(merged, ("history", "bytes"), ("limits", "event_bytes"))
        && history < u64::from(event)
    {
        let text = format!(
            "history.bytes = \"{}\" must not be smaller than limits.event_bytes = {event}",
            show_bytes(history)
        );
        problems.push(Problem { origin, fault: Fault::Pair(text) });
    }
    if event > EVENT_BYTES_SAFE {
        warnings.push(Warning {
            origin: merged.origin("limits", "event_bytes"),
            text: format!(
                "limits.event_bytes = {event} is above {EVENT_BYTES_SAFE}: some clients cannot read it"
            ),
        });
    }
}

fn check_log(merged: &Merged, problems: &mut Vec<Problem>, warnings: &mut Vec<Warning>) {
    let (log, history) = (&merged.config.log, &merged.config.history);
    if log.kind != LogKind::File {
        return;
    }
    let event = merged.config.limits.event_bytes;
    if let Some(origin) = sound_pair(merged, ("log", "bytes"), ("limits", "event_bytes"))
        && log.bytes < u64::from(event)
    {
        let text = format!(
            "log.bytes = \"{}\" must not be smaller than limits.event_bytes = {event}",
            show_bytes(log.bytes)
        );
        problems.push(Problem { origin, fault: Fault::Pair(text) });
    }
    let pairs = [
        ("bytes", log.bytes < history.bytes, show_bytes(log.bytes), show_bytes(history.bytes)),
        ("age", log.age < history.age, show_duration(log.age), show_duration(history.age)),
    ];
    for (key, is_below, log, history) in pairs {
        if is_below {
            warnings.push(Warning {
                origin: merged.origin("log", key),
                text: format!(
                    "log.{key} = \"{log}\" is below history.{key} = \"{history}\": what is kept in memory ([history]) \
                     beyond it is gone after a restart"
                ),
            });
        }
    }
}

fn check_limits(merged: &Merged, warnings: &mut Vec<Warning>) {
    let limits = &merged.config.limits;
    if limits.dry_run {
        warnings.push(Warning {
            origin: merged.origin("limits", "dry_run"),
            text: "limits.dry_run = true: limits on streams are counted and not enforced".to_owned(),
        });
    }
    for (key, limit) in [("per_user", limits.per_user), ("per_ip", limits.per_ip)] {
        if limit > limits.connections {
            warnings.push(Warning {
                origin: merged.origin("limits", key),
                text: format!(
                    "limits.{key} = {limit} is above limits.connections = {} and has no effect",
                    limits.connections
                ),
            });
        }
    }
}

fn check_key_pairs(merged: &Merged, problems: &mut Vec<Problem>) {
    let auth = &merged.config.auth;
    let pairs = [
        ("hmac_key", auth.hmac_key.is_some(), "hmac_key_file", auth.hmac_key_file.is_some()),
        ("public_key_file", auth.public_key_file.is_some(), "jwks_url", auth.jwks_url.is_some()),
    ];
    for (a, a_is_set, b, b_is_set) in pairs {
        if a_is_set && b_is_set {
            let origin = merged.origin("auth", a).max(merged.origin("auth", b));
            let text = format!("auth.{a} and auth.{b} are both set: only one of them can be");
            problems.push(Problem { origin, fault: Fault::Pair(text) });
        }
    }
}

fn check_key_files(merged: &Merged, problems: &mut Vec<Problem>, warnings: &mut Vec<Warning>) {
    let auth = &merged.config.auth;
    let mut report = |name: &'static str, key: &str, path: &Path, cause: KeyError| {
        let fault = Fault::Key { name, value: format!("\"{}\"", path.display()), cause };
        problems.push(Problem { origin: merged.origin("auth", key), fault });
    };
    if let Some(path) = &auth.hmac_key_file {
        match keys::read_hmac_key(path) {
            Ok(key) if key.is_world_readable => warnings.push(Warning {
                origin: merged.origin("auth", "hmac_key_file"),
                text: format!("every user of this machine can read {}: chmod 640 it", path.display()),
            }),
            Ok(_) => {}
            Err(cause) => report("auth.hmac_key_file", "hmac_key_file", path, cause),
        }
    }
    if let Some(path) = &auth.public_key_file
        && let Err(cause) = keys::read_public_key(path)
    {
        report("auth.public_key_file", "public_key_file", path, cause);
    }
}

fn check_keys_present(merged: &Merged, purpose: Purpose, problems: &mut Vec<Problem>) {
    let auth = &merged.config.auth;
    let keys = ["hmac_key", "hmac_key_file", "public_key_file", "jwks_url"];
    if merged.is_partial || !keys.iter().all(|key| merged.is_sound("auth", key)) {
        return;
    }
    let has_hmac = auth.hmac_key.is_some() || auth.hmac_key_file.is_some();
    let has_public = auth.public_key_file.is_some() || auth.jwks_url.is_some();
    let missing = match purpose {
        // Also with anonymous subscribers: without a key nobody could publish.
        Purpose::Serve if !has_hmac && !has_public => {
            "auth.hmac_key_file, auth.hmac_key, auth.public_key_file or auth.jwks_url"
        }
        Purpose::Sign if !has_hmac => "auth.hmac_key_file or auth.hmac_key",
        Purpose::Serve | Purpose::Sign | Purpose::Dev | Purpose::Inspect => return,
    };
    problems.push(Problem { origin: Origin::Default, fault: Fault::NoKey(missing) });
}
