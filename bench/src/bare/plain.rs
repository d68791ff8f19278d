//! The bare server without a ring: `send(2)` to one socket after the other.

use std::collections::HashMap;
use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};

use anyhow::Context;
use bytes::Bytes;
use corecast_ring::{Errno, Listener};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send};

use super::requests::Requests;
use super::{FULL_MAX, Frames, Listeners};

const SUBSCRIBERS: u64 = 0;
const PUBLISHERS: u64 = 1;

/// Enough for a pipeline of 64 requests.
const RECEIVE_BYTES: usize = 64 * 1024;

struct Server {
    epoll: OwnedFd,
    frames: Frames,
    sockets: Vec<OwnedFd>,
    /// Whose head has not come; `next_key` names the next.
    silent: HashMap<u64, OwnedFd>,
    publishers: HashMap<u64, (OwnedFd, Requests)>,
    next_key: u64,
    bytes: Vec<u8>,
    events: Vec<Bytes>,
}

pub(super) fn serve(listeners: &Listeners) -> anyhow::Result<Infallible> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    for (listener, key) in [(&listeners.subscribers, SUBSCRIBERS), (&listeners.publishers, PUBLISHERS)] {
        rustix::io::ioctl_fionbio(listener, true)?;
        epoll::add(&epoll, listener, EventData::new_u64(key), EventFlags::IN)?;
    }
    let mut server = Server {
        epoll,
        frames: Frames::new(),
        sockets: Vec::new(),
        silent: HashMap::new(),
        publishers: HashMap::new(),
        next_key: PUBLISHERS + 1,
        bytes: vec![0; RECEIVE_BYTES],
        events: Vec::new(),
    };
    let mut ready = Vec::with_capacity(512);
    loop {
        ready.clear();
        match epoll::wait(&server.epoll, spare_capacity(&mut ready), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno).context("epoll_wait"),
        }
        for event in &ready {
            server.on_ready(event.data.u64(), listeners)?;
        }
        server.send_events();
    }
}

impl Server {
    fn on_ready(&mut self, key: u64, listeners: &Listeners) -> anyhow::Result<()> {
        match key {
            SUBSCRIBERS => {
                for (key, socket) in self.accept(&listeners.subscribers)? {
                    self.silent.insert(key, socket);
                }
            }
            PUBLISHERS => {
                for (key, socket) in self.accept(&listeners.publishers)? {
                    self.publishers.insert(key, (socket, Requests::default()));
                }
            }
            _ if self.publishers.contains_key(&key) => self.take_events(key)?,
            _ => self.greet(key)?,
        }
        Ok(())
    }

    fn accept(&mut self, listener: &Listener) -> anyhow::Result<Vec<(u64, OwnedFd)>> {
        let mut accepted = Vec::new();
        loop {
            match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(socket) => {
                    epoll::add(&self.epoll, &socket, EventData::new_u64(self.next_key), EventFlags::IN)?;
                    accepted.push((self.next_key, socket));
                    self.next_key += 1;
                }
                Err(Errno::AGAIN) => return Ok(accepted),
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(errno) => return Err(errno).context("accept (RLIMIT_NOFILE bounds the connections)"),
            }
        }
    }

    /// Reads a head without looking at it, and answers.
    fn greet(&mut self, key: u64) -> anyhow::Result<()> {
        let Some(socket) = self.silent.remove(&key) else { return Ok(()) };
        epoll::delete(&self.epoll, &socket)?;
        let (received, _) = recv(&socket, &mut self.bytes[..], RecvFlags::empty()).unwrap_or_default();
        if received > 0 && send_all(&socket, &self.frames.head()) {
            self.sockets.push(socket);
        }
        Ok(())
    }

    fn take_events(&mut self, key: u64) -> anyhow::Result<()> {
        let Some((socket, requests)) = self.publishers.get_mut(&key) else { return Ok(()) };
        let received = match recv(&*socket, &mut self.bytes[..], RecvFlags::empty()) {
            Ok((received, _)) => received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(_) => 0,
        };
        let mut answer = Vec::new();
        let (frames, events) = (&mut self.frames, &mut self.events);
        requests.read(&self.bytes[..received], |body| events.push(frames.encode(body, &mut answer)))?;
        if received == 0 || !send_all(socket, &answer) {
            self.publishers.remove(&key);
        }
        Ok(())
    }

    fn send_events(&mut self) {
        for event in self.events.drain(..) {
            self.sockets.retain(|socket| send_all(socket, &event));
        }
    }
}

/// Sends all of `bytes`, waiting for a full socket; says whether that went well.
fn send_all(socket: &OwnedFd, bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        match send(socket, rest, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(len) => rest = &rest[len..],
            Err(Errno::AGAIN) if has_room(socket) => {}
            Err(_) => return false,
        }
    }
    true
}

/// Waits for room, as long as a socket may stay full.
fn has_room(socket: &OwnedFd) -> bool {
    let timeout = Timespec { tv_sec: FULL_MAX.as_secs() as i64, tv_nsec: 0 };
    let mut fds = [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::OUT)];
    matches!(poll(&mut fds, Some(&timeout)), Ok(1..))
}
