//! What lets this process read a file that it may not read.
//!
//! Not here: writing, which only the log does.

use std::io;

/// To be put behind the error of opening a file for reading: empty unless rights are missing.
pub(super) fn remedy(error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return String::new();
    }
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    format!(
        "; corecast runs as user {uid} and group {gid}: `chgrp {gid}` and `chmod 640` let it read the file, and it must be \
         allowed into every folder on the way"
    )
}
