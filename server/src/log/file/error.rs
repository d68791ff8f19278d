//! Why a file log cannot be opened: each names the path, and what would help.

use std::io;
use std::path::PathBuf;

use corecast_core::id::{Incarnation, Position};
use thiserror::Error;

use super::run::Damage;
use super::segment::VERSION;

/// Why a file log cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Neither the folder nor the one it would be in exists.
    #[error(
        "the log's folder {} does not exist, and neither does the folder it would be in; make that one, or set log.path",
        path.display()
    )]
    Missing {
        /// The log's folder.
        path: PathBuf,
    },
    /// Something else than a folder has that name.
    #[error("{} is not a folder; set log.path to one", path.display())]
    NotAFolder {
        /// What is configured.
        path: PathBuf,
    },
    /// The process may not make the folder.
    #[error(
        "user {uid} may not make the log's folder {0}; a systemd unit has it made by StateDirectory=, and by hand it is \
         `install -d -o {uid} -m 750 {0}`", path.display()
    )]
    Unmade {
        /// The log's folder.
        path: PathBuf,
        /// As whom.
        uid: u32,
    },
    /// The process may not do what is needed.
    #[error(
        "user {uid} may not {what} {}, which belongs to user {owner}; run corecast as that user, or chown -R {uid} the \
         folder (a systemd unit does so to that of StateDirectory=)", path.display()
    )]
    Permission {
        /// What cannot be read or written.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// As whom.
        uid: u32,
        /// Whose it is.
        owner: u32,
    },
    /// The file system cannot be written to.
    #[error(
        "{} is on a file system that is mounted read-only; mount it read-write (a systemd unit needs StateDirectory= or \
         ReadWritePaths=), or set log.path", path.display()
    )]
    ReadOnly {
        /// What cannot be written.
        path: PathBuf,
    },
    /// There is no room even for an empty segment.
    #[error("there is no room for a new segment in {}: {source}; make room, or lower log.bytes", path.display())]
    NoSpace {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another process has the log.
    #[error(
        "the log in {} is in use{}; end that process, or set log.path to another folder",
        path.display(),
        holder.map_or_else(String::new, |pid| format!(" by process {pid}"))
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Which process has it, if it says so.
        holder: Option<u32>,
    },
    /// A file that no corecast has put there.
    #[error("{} is no part of a log; move it away, or set log.path to a folder of its own", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A segment that a newer corecast has written.
    #[error(
        "{} has format version {version}, and this corecast reads version {VERSION}; use the corecast that wrote it, or \
         a newer one", path.display()
    )]
    Version {
        /// The segment.
        path: PathBuf,
        /// The version it has.
        version: u32,
    },
    /// Segments of two logs are in one folder.
    #[error(
        "{} is a segment of another log ({:016x}) than those before it ({:016x}); keep the segments of one log in the \
         folder and move the others away", path.display(), found.0, expected.0
    )]
    OtherLog {
        /// The segment.
        path: PathBuf,
        /// The log it belongs to.
        found: Incarnation,
        /// The log of the first segment.
        expected: Incarnation,
    },
    /// A segment between two others is missing.
    #[error(
        "{} should begin at position {}: a segment before it is missing, or these are of two copies of the log; put the \
         segments of one copy back, or let `corecast log repair --path {}` say in the log that missing events are lost",
        path.display(), expected.0, path.parent().unwrap_or(path).display()
    )]
    Hole {
        /// The segment behind the hole.
        path: PathBuf,
        /// Where it should begin.
        expected: Position,
    },
    /// Acknowledged events cannot be read.
    #[error(
        "the log in {} is damaged: {damage}. Events that were acknowledged cannot be read there. `corecast log verify \
         --path {0}` lists all damage; `corecast log repair --path {0}` keeps everything else, and tells clients of \
         the gap",
        path.display(), damage = damage
    )]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// Where, and what is wrong.
        damage: Damage,
    },
    /// The disk does not do what it is asked.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// On what.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}
