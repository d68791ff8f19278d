//! The kernel's queues, buffers and tables of TCP.

use super::View;
use super::figures::{SLOW_READER_BYTES, slow_readers};
use super::machine::Unread;
use super::report::{Finding, Place, Step, Verdict, sysctl};
use super::text::{grouped, limit};

/// What the hub's listeners ask for (`hub/listeners.rs`).
const BACKLOG: u64 = u16::MAX as u64;

/// Ports for a local proxy that leave those of well-known services alone, the hub's own included.
const PORTS_WIDE: (u64, u64) = (10_240, 65_535);

/// For a million streams (docs/operations.md).
const TCP_MEM_MAX_LARGE: u64 = 2_097_152;

/// More entries of 300 B than machines have memory for.
const CONNTRACK_MAX: u64 = 1 << 30;

pub(super) fn somaxconn(view: &View<'_>) -> Result<Finding, Unread> {
    let value = view.machine.number("proc/sys/net/core/somaxconn")?;
    let queue = value.min(BACKLOG) * view.shards;
    let best = BACKLOG * view.shards;
    let meaning =
        "So many connections that come back at once find room to wait; the others try again after a second.";
    let remedy = sysctl("net.core.somaxconn", &BACKLOG.to_string());
    Ok(Finding::new(format!("{}: room for {} at once", grouped(value), grouped(queue)), meaning)
        .at_least(Verdict::Warn, queue < view.wanted().min(best))
        .remedy(if value < BACKLOG { remedy } else { Vec::new() }))
}

pub(super) fn syn_backlog(view: &View<'_>) -> Result<Finding, Unread> {
    let value = view.machine.number("proc/sys/net/ipv4/tcp_max_syn_backlog")?;
    // Kernels without SYN cookies do not have the file.
    let cookies = view.machine.number("proc/sys/net/ipv4/tcp_syncookies").unwrap_or(0);
    // tcp_conn_request() looks at it only without cookies, and keeps a quarter for peers it knows.
    let room = (value - value / 4).saturating_mul(view.shards);
    let is_short = cookies == 0 && room < view.wanted().min(BACKLOG * view.shards);
    let state = if cookies == 0 { "SYN cookies off" } else { "SYN cookies on" };
    let meaning = "Half-open connections that a listener remembers; with SYN cookies more of them are answered all the \
                   same.";
    let mut remedy = Vec::new();
    if cookies == 0 {
        remedy.extend(sysctl("net.ipv4.tcp_syncookies", "1"));
    }
    if value < BACKLOG {
        remedy.extend(sysctl("net.ipv4.tcp_max_syn_backlog", &BACKLOG.to_string()));
    }
    Ok(Finding::new(format!("{}, {state}", grouped(value)), meaning)
        .at_least(Verdict::Warn, is_short)
        .remedy(remedy))
}

pub(super) fn tcp_mem(view: &View<'_>) -> Result<Finding, Unread> {
    let [_, _, most] = view.machine.numbers("proc/sys/net/ipv4/tcp_mem")?;
    let pages_each = SLOW_READER_BYTES.div_ceil(rustix::param::page_size() as u64);
    let (room, bad_moment) = (most / pages_each, slow_readers(view.wanted()));
    let found = format!("{} pages: {} slow readers", limit(most), grouped(room));
    let meaning = "Buffers of all TCP; an idle stream has none, a slow reader 64 KiB. A tenth of the readers is allowed \
                   for.";
    let value = (bad_moment * pages_each).next_power_of_two().max(TCP_MEM_MAX_LARGE);
    let values = format!("{} {} {value}", value / 4, value / 2);
    Ok(Finding::new(found, meaning).at_least(Verdict::Warn, room < bad_moment).remedy(if value > most {
        sysctl("net.ipv4.tcp_mem", &values)
    } else {
        Vec::new()
    }))
}

pub(super) fn port_range(view: &View<'_>) -> Result<Finding, Unread> {
    let [first, last] = view.machine.numbers("proc/sys/net/ipv4/ip_local_port_range")?;
    let ports = last.min(u64::from(u16::MAX)).saturating_add(1).saturating_sub(first);
    let meaning = "Matters only for a proxy or a load generator on this machine: so many connections to one address of \
                   the hub.";
    let (low, high) = PORTS_WIDE;
    let widen =
        (ports < high - low).then(|| sysctl("net.ipv4.ip_local_port_range", &format!("{low} {high}")));
    let spread =
        Step::new(Place::Hand, "let the proxy connect to several addresses: 127.0.0.1, 127.0.0.2, …");
    Ok(Finding::new(format!("{first}–{last}: {} ports", grouped(ports)), meaning)
        .at_least(Verdict::Warn, ports < view.wanted())
        .remedy(widen.into_iter().flatten())
        .remedy([spread]))
}

pub(super) fn conntrack(view: &View<'_>) -> Result<Finding, Unread> {
    let most = view.machine.number("proc/sys/net/netfilter/nf_conntrack_max")?;
    let count = view.machine.number("proc/sys/net/netfilter/nf_conntrack_count")?;
    let meaning = "The kernel drops packets of new connections when its table is full.";
    // Zero is no limit (nf_conntrack-sysctl.rst); and whoever asks has connections, which would be counted.
    if most == 0 || count == 0 {
        let found = if most == 0 { "no limit" } else { "loaded, tracks nothing here" };
        return Ok(Finding::new(found, meaning));
    }
    let value = (view.wanted() * 2 + count.min(CONNTRACK_MAX)).next_power_of_two();
    let notrack = Step::new(Place::Hand, "or exempt the hub's port from tracking (notrack)");
    Ok(Finding::new(format!("{}, {} in use", grouped(most), grouped(count)), meaning)
        .bound(most.saturating_sub(count), view.wanted())
        .remedy(if value > most {
            sysctl("net.netfilter.nf_conntrack_max", &value.to_string())
        } else {
            Vec::new()
        })
        .remedy([notrack]))
}
