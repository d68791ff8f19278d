//! Safe face over io_uring.
