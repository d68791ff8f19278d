//! The log of a hub that loses nothing: segments in a folder, appended to and synced before anybody is told.

pub mod disk;
