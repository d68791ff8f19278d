//! What a hub still holds of connections that are over, as the kernel tells it.
//!
//! Two looks, since neither sees all: a socket in a ring's own table is no descriptor of the process, and one that was
//! reset is in no table of the kernel.

use std::collections::HashSet;
use std::fs;

use crate::hub::Hub;

/// tcp_states.h, as /proc/net/tcp shows them.
const TIME_WAIT: &str = "06";
const LISTEN: &str = "0A";

/// The hub's sockets that are neither listening nor a Unix socket, and those that the kernel still has at its address.
///
/// # Panics
/// If the hub is gone.
#[must_use]
pub fn leftovers(hub: &Hub) -> (usize, usize) {
    let of_process = |path: &str| {
        let path = format!("/proc/{}/{path}", hub.pid().as_raw_nonzero());
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    };
    let (tcp, unix) = (of_process("net/tcp"), of_process("net/unix"));
    let rows: Vec<Vec<&str>> = tcp.lines().skip(1).map(|row| row.split_whitespace().collect()).collect();
    // proc_pid_net(5): the local address, the state and the inode are the second, fourth and tenth column.
    let port = format!(":{:04X}", hub.addr().port());
    let connected =
        rows.iter().filter(|row| row[1].ends_with(&port) && ![LISTEN, TIME_WAIT].contains(&row[3])).count();
    let mut known: HashSet<&str> = rows.iter().filter(|row| row[3] == LISTEN).map(|row| row[9]).collect();
    known.extend(unix.lines().skip(1).filter_map(|row| row.split_whitespace().nth(6)));
    let held: HashSet<String> = sockets(hub).into_iter().filter(|inode| !known.contains(&**inode)).collect();
    (held.len(), connected)
}

/// The inodes of the sockets among its descriptors.
fn sockets(hub: &Hub) -> Vec<String> {
    let folder = format!("/proc/{}/fd", hub.pid().as_raw_nonzero());
    let descriptors = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect()
}
