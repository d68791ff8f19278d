//! Cookies of a request (RFC 6265 §5.4), as far as a token is looked for in them.
//!
//! Not here: `Set-Cookie`. The application sets the cookie, the hub only reads it.

/// The value of the first cookie named `name` in the given `Cookie` headers. Names are case-sensitive; quotes around
/// a value are dropped. What has no `=` is no cookie.
pub fn find<'a>(mut headers: impl Iterator<Item = &'a [u8]>, name: &str) -> Option<&'a [u8]> {
    headers.find_map(|header| {
        header.split(|&byte| byte == b';').find_map(|pair| {
            let equals = memchr::memchr(b'=', pair)?;
            let value = pair[equals + 1..].trim_ascii();
            (pair[..equals].trim_ascii() == name.as_bytes()).then(|| unquoted(value))
        })
    })
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cookie_of_the_name_is_found() {
        for (headers, expected) in [
            (&["corecast_token=abc"][..], Some("abc")),
            (&["a=1; corecast_token=abc; b=2"], Some("abc")),
            (&["a=1;corecast_token=abc;b=2"], Some("abc")),
            (&["a=1", "corecast_token=abc"], Some("abc")),
            (&["corecast_token=first; corecast_token=second"], Some("first")),
            (&["corecast_token=\"abc\""], Some("abc")),
            (&["corecast_token=\""], Some("\"")),
            (&[" corecast_token = abc "], Some("abc")),
            (&["corecast_token=a=b=="], Some("a=b==")),
            (&["corecast_token="], Some("")),
            (&["xcorecast_token=abc"], None),
            (&["Corecast_Token=abc"], None),
            (&["corecast_token"], None),
            (&["a=corecast_token=abc"], None),
            (&["; ;=; =x;"], None),
            (&[""], None),
            (&[], None),
        ] {
            let found = find(headers.iter().map(|header| header.as_bytes()), "corecast_token");
            assert_eq!(found, expected.map(str::as_bytes), "{headers:?}");
        }
    }
}
