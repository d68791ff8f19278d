//! A descriptor that monoio watches, for hosts without a ring of their own.
//!
//! monoio's sockets give their descriptor as a bare number, which nothing safe can be done with. Here it is lent for as
//! long as the socket lives.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A descriptor that the monoio runtime of this thread can wait for: a socket, or anything else that can be polled.
///
/// Reading and writing are the caller's, by system calls that do not block. Made, used and dropped on a thread within
/// `block_on` of its runtime; anywhere else monoio panics.
#[derive(Debug)]
pub struct Watched {
    // What kind of socket this is matters to its reads and writes only, and there are none.
    stream: monoio::net::TcpStream,
}

impl Watched {
    /// Takes the descriptor over.
    ///
    /// # Errors
    ///
    /// As epoll_ctl(2), where monoio waits with that: `ENOSPC` above `fs.epoll.max_user_watches`, `ENOMEM`, `EPERM` for
    /// what cannot be polled.
    pub fn new(descriptor: OwnedFd) -> io::Result<Self> {
        monoio::net::TcpStream::from_std(TcpStream::from(descriptor)).map(|stream| Self { stream })
    }

    /// Waits until there is something to read: bytes, an end or an error.
    ///
    /// # Errors
    ///
    /// As poll(2). What is wrong with the socket itself its next read tells.
    pub async fn readable(&self) -> io::Result<()> {
        self.stream.readable(false).await
    }

    /// Waits until there is room to write, or an error.
    ///
    /// # Errors
    ///
    /// As poll(2). What is wrong with the socket itself its next write tells.
    pub async fn writable(&self) -> io::Result<()> {
        self.stream.writable(false).await
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: `stream` owns the descriptor and closes it only when it is dropped, which the borrow of `self` forbids
        // for as long as what is returned lives.
        unsafe { BorrowedFd::borrow_raw(self.stream.as_raw_fd()) }
    }
}
