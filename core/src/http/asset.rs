//! Files that the hub serves as they are, and how they may be stored.
//!
//! Not here: which there are (the host's choice).

use bytes::Bytes;

use super::{Response, Status};

/// A file under a path of its own. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Asset {
    path: &'static str,
    content_type: &'static str,
    bytes: Bytes,
    /// None of what nobody may store.
    etag: Option<Box<str>>,
}

impl Asset {
    /// A file that holds nothing secret: pages of every origin may read it, and whoever stored it asks whether it is still
    /// the same. `path` begins with a slash.
    #[must_use]
    pub fn public(path: &'static str, content_type: &'static str, bytes: Bytes) -> Self {
        let etag = Some(format!("\"{:016x}\"", fnv(&bytes)).into());
        Self { path, content_type, bytes, etag }
    }

    /// A page that nobody may store: it has a token in it.
    #[must_use]
    pub fn secret_page(path: &'static str, html: Bytes) -> Self {
        Self { path, content_type: "text/html; charset=utf-8", bytes: html, etag: None }
    }

    /// Where it is.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        self.path
    }

    /// The answer to a request with this `If-None-Match`, without headers for other origins.
    #[must_use]
    pub fn response(&self, if_none_match: Option<&[u8]>) -> Response<'_> {
        let Some(etag) = &self.etag else {
            return Response::file(Status::Ok, self.content_type, &self.bytes);
        };
        let response = if if_none_match.is_some_and(|list| names(list, etag)) {
            Response::empty(Status::NotModified)
        } else {
            Response::file(Status::Ok, self.content_type, &self.bytes)
        };
        response
            // A page and its worker are to be of one release.
            .cache("public, no-cache")
            .header("ETag", etag)
            .header("Access-Control-Allow-Origin", "*")
            .header("Cross-Origin-Resource-Policy", "cross-origin")
    }
}

/// Whether `If-None-Match` has this tag, weak or not, or is `*` (RFC 9110 §13.1.2). Ours have no comma in them.
fn names(list: &[u8], etag: &str) -> bool {
    let tags = list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    tags.map(|tag| tag.strip_prefix(b"W/").unwrap_or(tag)).any(|tag| tag == b"*" || tag == etag.as_bytes())
}

/// FNV-1a: tells releases of a file apart, and defends against nobody.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::UnixMillis;

    fn text(asset: &Asset, if_none_match: Option<&[u8]>) -> String {
        String::from_utf8(asset.response(if_none_match).encode(UnixMillis(0)).to_vec()).unwrap()
    }

    #[test]
    fn a_file_that_is_stored_is_not_sent_again() {
        let asset = Asset::public("/a.js", "text/javascript; charset=utf-8", Bytes::from_static(b"one"));
        let first = text(&asset, None);
        assert!(first.starts_with("HTTP/1.1 200 OK\r\n") && first.ends_with("\r\n\r\none"), "{first}");
        assert!(first.contains("Content-Type: text/javascript; charset=utf-8\r\n"), "{first}");
        let etag = first.split("ETag: ").nth(1).unwrap().split("\r\n").next().unwrap();
        for (sent, is_known) in [
            (etag.to_owned(), true),
            (format!("W/{etag}"), true),
            (format!("\"other\" , {etag}"), true),
            ("*".to_owned(), true),
            ("\"other\"".to_owned(), false),
            (etag.trim_matches('"').to_owned(), false),
            (String::new(), false),
        ] {
            let answer = text(&asset, Some(sent.as_bytes()));
            assert_eq!(answer.starts_with("HTTP/1.1 304 "), is_known, "{sent}: {answer}");
            assert_eq!(answer.ends_with("\r\n\r\n"), is_known, "{sent}: {answer}");
            assert!(
                answer.contains("Cache-Control: public, no-cache\r\n") && answer.contains(etag),
                "{answer}"
            );
        }
        let other = Asset::public("/a.js", "text/javascript; charset=utf-8", Bytes::from_static(b"two"));
        assert!(!text(&other, None).contains(etag), "another release has another tag");
    }

    #[test]
    fn a_page_with_a_token_is_for_its_own_origin_and_stored_by_nobody() {
        let page = Asset::secret_page("/", Bytes::from_static(b"<!doctype html>"));
        let answer = text(&page, Some(b"*"));
        assert!(
            answer.contains("Cache-Control: no-store\r\n") && answer.ends_with("<!doctype html>"),
            "{answer}"
        );
        assert!(!answer.contains("Access-Control") && !answer.contains("ETag"), "{answer}");
    }
}
