//! The wire between a hub and the process that takes over: words, and sockets along with them.
//!
//! A pair of Unix sockets that keep message boundaries and tell of the other's end.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// Bytes of a word, at most: an error with a path or two.
const WORD_BYTES_MAX: usize = 4096;

/// The other side reads at once, unless something is wrong with it.
const SEND_PATIENCE: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub(super) struct Link {
    socket: OwnedFd,
}

/// What was received.
#[derive(Debug)]
pub(super) enum Heard {
    /// A word, and the socket that came along.
    Word(String, Option<OwnedFd>),
    /// Nothing, for as long as was waited.
    Silence,
    /// The other side has closed, or ended.
    End,
}

impl Link {
    /// Two ends. The second is to be the standard input of a new process.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (one, other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self::new(one)?, other))
    }

    /// An end that another process has made.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        set_socket_timeout(&socket, Timeout::Send, Some(SEND_PATIENCE))?;
        Ok(Self { socket })
    }

    pub(super) fn send(&self, word: &str, socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut room);
        let sockets: Vec<BorrowedFd<'_>> = socket.into_iter().collect();
        if !sockets.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&sockets)) {
            return Err(Errno::TOOBIG.into());
        }
        let bytes = &word.as_bytes()[..word.len().min(WORD_BYTES_MAX)];
        retry_on_intr(|| sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL))?;
        Ok(())
    }

    /// The next word, waiting for it `patience` long, or for ever.
    pub(super) fn receive(&self, patience: Option<Duration>) -> io::Result<Heard> {
        set_socket_timeout(&self.socket, Timeout::Recv, patience)?;
        let mut bytes = [0; WORD_BYTES_MAX];
        let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut room);
        let received = retry_on_intr(|| {
            let iov = &mut [IoSliceMut::new(&mut bytes)];
            recvmsg(self.socket.as_fd(), iov, &mut control, RecvFlags::CMSG_CLOEXEC)
        });
        let len = match received {
            Ok(received) => received.bytes,
            Err(Errno::AGAIN) => return Ok(Heard::Silence),
            Err(Errno::CONNRESET) => return Ok(Heard::End),
            Err(error) => return Err(error.into()),
        };
        if len == 0 {
            return Ok(Heard::End);
        }
        let mut sockets = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
            _ => None,
        });
        let socket = sockets.next().and_then(|mut sockets| sockets.next());
        Ok(Heard::Word(String::from_utf8_lossy(&bytes[..len]).into_owned(), socket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_sockets_arrive_together_and_in_order() {
        let (one, other) = Link::pair().unwrap();
        let other = Link::new(other).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        one.send("hub", Some(listener.as_fd())).unwrap();
        one.send("these are all", None).unwrap();
        let Heard::Word(word, Some(socket)) = other.receive(None).unwrap() else { panic!("a socket") };
        assert_eq!(word, "hub");
        let handed = std::net::TcpListener::from(socket);
        assert_eq!(handed.local_addr().unwrap(), listener.local_addr().unwrap());
        assert!(matches!(other.receive(None).unwrap(), Heard::Word(word, None) if word == "these are all"));
        let patience = Some(Duration::from_millis(1));
        assert!(matches!(other.receive(patience).unwrap(), Heard::Silence));
        drop(one);
        assert!(matches!(other.receive(None).unwrap(), Heard::End));
    }

    #[test]
    fn a_word_that_is_too_long_is_cut() {
        let (one, other) = Link::pair().unwrap();
        let other = Link::new(other).unwrap();
        one.send(&"x".repeat(2 * WORD_BYTES_MAX), None).unwrap();
        assert!(
            matches!(other.receive(None).unwrap(), Heard::Word(word, None) if word.len() == WORD_BYTES_MAX)
        );
    }
}
