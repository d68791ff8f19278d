//! HTTP/1.1 and 1.0, without I/O: request heads, bodies, responses, what a publisher posts.
