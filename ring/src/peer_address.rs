//! The cells into which the kernel writes the addresses of accepted peers.
//!
//! Invariant: a cell is lent from `lend` to `take_back`, and in between no reference to it exists. Cells still lent when
//! the table is dropped are leaked with it.

use std::cell::UnsafeCell;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ptr::NonNull;

use crate::user_data::{Own, next_generation};
use crate::{Listener, Token};

/// `sizeof(struct sockaddr_storage)`.
const STORAGE_BYTES: usize = 128;

/// A `sockaddr_storage` and its length, as bytes: the kernel writes them, [`decode`] reads them.
#[repr(C, align(8))]
struct Cell {
    storage: UnsafeCell<[u8; STORAGE_BYTES]>,
    len: UnsafeCell<u32>,
}

/// The table of cells, and who has which.
pub(crate) struct PeerAddresses {
    cells: NonNull<[Cell]>,
    entries: Vec<Entry>,
    free: Vec<u32>,
}

struct Entry {
    generation: u32,
    /// Present while the kernel has the cell. The listener stays open for as long, so that its descriptor keeps naming it.
    lent: Option<(Token, Listener)>,
}

/// A lent cell, ready to go into an SQE.
pub(crate) struct Lent {
    pub(crate) own: Own,
    pub(crate) storage: *mut [u8; STORAGE_BYTES],
    pub(crate) len: *mut u32,
}

impl PeerAddresses {
    pub(crate) fn new(count: u32) -> Self {
        let cell = || Cell { storage: UnsafeCell::new([0; STORAGE_BYTES]), len: UnsafeCell::new(0) };
        let cells: Box<[Cell]> = (0..count).map(|_| cell()).collect();
        Self {
            cells: NonNull::from(Box::leak(cells)),
            entries: (0..count).map(|_| Entry { generation: 0, lent: None }).collect(),
            free: (0..count).rev().collect(),
        }
    }

    /// Lends a free cell to an accept; `None` if all are lent.
    pub(crate) fn lend(&mut self, listener: &Listener, token: Token) -> Option<Lent> {
        let index = self.free.pop()?;
        let entry = &mut self.entries[index as usize];
        entry.lent = Some((token, listener.clone()));
        let generation = entry.generation;
        let cell = self.cell(index);
        let (storage, len) = (cell.storage.get(), cell.len.get());
        // SAFETY: the cell was free, so the kernel does not have it, and `&mut self` keeps everyone else away.
        unsafe { *len = STORAGE_BYTES as u32 };
        Some(Lent { own: Own::Accept { index, generation }, storage, len })
    }

    /// Takes a cell back upon the CQE of its accept: the accept's token, and the address if one is there.
    /// `None` if no such accept is out.
    pub(crate) fn take_back(&mut self, index: u32, generation: u32) -> Option<(Token, Option<SocketAddr>)> {
        let entry = self.entries.get_mut(index as usize).filter(|entry| entry.generation == generation)?;
        let (token, _listener) = entry.lent.take()?;
        entry.generation = next_generation(generation);
        self.free.push(index);
        let cell = self.cell(index);
        let (storage, len) = (cell.storage.get(), cell.len.get());
        // SAFETY: the CQE of the one accept that had this cell has come (index and generation say so, and were checked),
        // so the kernel has written for the last time.
        let storage = unsafe { *storage };
        // SAFETY: as above.
        let len = unsafe { *len };
        Some((token, decode(&storage, len)))
    }

    /// What names the accepts that are out, for cancelling them.
    pub(crate) fn lent(&self) -> impl Iterator<Item = Own> {
        (0..)
            .zip(&self.entries)
            .filter(|(_, entry)| entry.lent.is_some())
            .map(|(index, entry)| Own::Accept { index, generation: entry.generation })
    }

    pub(crate) fn lent_count(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(crate) fn free_count(&self) -> usize {
        self.free.len()
    }

    fn cell(&self, index: u32) -> &Cell {
        // SAFETY: the memory was leaked in `new` and is freed only in `drop`. The contents are in `UnsafeCell`s, so a
        // shared reference to the cells claims nothing about what the kernel writes.
        let cells = unsafe { self.cells.as_ref() };
        &cells[index as usize]
    }
}

impl Drop for PeerAddresses {
    fn drop(&mut self) {
        let lent = self.lent_count();
        if lent > 0 {
            tracing::error!(lent, "a ring was dropped whose accepts did not end: their addresses are leaked");
            return;
        }
        // SAFETY: the pointer came out of `Box::leak` in `new`, is freed only here, and the kernel has no cell of it.
        drop(unsafe { Box::from_raw(self.cells.as_ptr()) });
    }
}

/// Reads a `sockaddr_in` or `sockaddr_in6` of `len` bytes; `None` for anything else.
fn decode(storage: &[u8; STORAGE_BYTES], len: u32) -> Option<SocketAddr> {
    let bytes = storage.get(..len as usize)?;
    let family = u16::from_ne_bytes(field(bytes, 0)?);
    let port = u16::from_be_bytes(field(bytes, 2)?);
    match rustix::net::AddressFamily::from_raw(family) {
        rustix::net::AddressFamily::INET => {
            Some(SocketAddrV4::new(Ipv4Addr::from(field::<4>(bytes, 4)?), port).into())
        }
        rustix::net::AddressFamily::INET6 => {
            // Flow label and scope as `std` keeps them: in the machine's byte order.
            let flow = u32::from_ne_bytes(field(bytes, 4)?);
            let scope = u32::from_ne_bytes(field(bytes, 24)?);
            Some(SocketAddrV6::new(Ipv6Addr::from(field::<16>(bytes, 8)?), port, flow, scope).into())
        }
        _ => None,
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(bytes: &[u8]) -> [u8; STORAGE_BYTES] {
        let mut storage = [0; STORAGE_BYTES];
        storage[..bytes.len()].copy_from_slice(bytes);
        storage
    }

    fn family(family: rustix::net::AddressFamily) -> [u8; 2] {
        family.as_raw().to_ne_bytes()
    }

    #[test]
    fn an_ipv4_address_is_read() {
        let bytes =
            [&family(rustix::net::AddressFamily::INET)[..], &[0x1F, 0x90, 192, 0, 2, 7], &[0; 8]].concat();
        assert_eq!(decode(&storage(&bytes), 16), Some("192.0.2.7:8080".parse().unwrap()));
    }

    #[test]
    fn an_ipv6_address_is_read_with_its_scope() {
        let address: Ipv6Addr = "fe80::1".parse().unwrap();
        let bytes = [
            &family(rustix::net::AddressFamily::INET6)[..],
            &[0x00, 0x50],
            &[0; 4],
            &address.octets()[..],
            &3_u32.to_ne_bytes(),
        ]
        .concat();
        assert_eq!(decode(&storage(&bytes), 28), Some(SocketAddrV6::new(address, 80, 0, 3).into()));
    }

    #[test]
    fn what_is_no_whole_internet_address_is_none() {
        let inet = storage(&family(rustix::net::AddressFamily::INET));
        let inet6 = storage(&family(rustix::net::AddressFamily::INET6));
        let unix = storage(&family(rustix::net::AddressFamily::UNIX));
        for (storage, len) in
            [(inet, 0), (inet, 7), (inet6, 16), (inet6, 27), (unix, 128), (inet, 129), (inet, u32::MAX)]
        {
            assert_eq!(decode(&storage, len), None, "{len}");
        }
    }

    #[test]
    fn a_cell_comes_back_once_and_only_to_its_own_accept() {
        let listener =
            crate::listen("127.0.0.1:0".parse().unwrap(), &crate::ListenOptions::default()).unwrap();
        let mut table = PeerAddresses::new(1);
        let lent = table.lend(&listener, Token::new(7)).unwrap();
        assert!(table.lend(&listener, Token::new(8)).is_none(), "there is only one cell");
        assert_eq!(lent.own, Own::Accept { index: 0, generation: 0 });
        assert_eq!(table.lent().collect::<Vec<_>>(), [lent.own]);
        assert!(table.take_back(0, 1).is_none(), "another generation");
        assert!(table.take_back(1, 0).is_none(), "another cell");
        assert_eq!(table.take_back(0, 0).map(|(token, _)| token), Some(Token::new(7)));
        assert!(table.take_back(0, 0).is_none(), "it is back already");
        assert_eq!(
            table.lend(&listener, Token::new(8)).unwrap().own,
            Own::Accept { index: 0, generation: 1 }
        );
        assert!(table.take_back(0, 1).is_some());
    }
}
