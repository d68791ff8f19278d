//! Who is let in, as cases.

use super::*;

const TOKEN: &[u8] = b"a-token-of-at-least-thirty-two-bytes";

/// The status of what is refused and the field that is to blame; 200 for what is allowed.
fn judge(token: Option<&[u8]>, line: &str, headers: &[(&'static str, &str)]) -> (u16, String) {
    let (method, path) = line.split_once(' ').unwrap();
    let token = token.map(Secret::new);
    let headers = headers.iter().map(|&(name, value)| {
        let name: axum::http::HeaderName = name.parse().unwrap();
        (name, value.parse().unwrap())
    });
    let headers: HeaderMap = headers.collect();
    match check(token.as_ref(), &method.parse().unwrap(), &path.parse().unwrap(), &headers) {
        Ok(()) => (200, String::new()),
        Err(refusal) => {
            let (Refusal::NoToken(problem) | Refusal::Other(problem)) = &refusal;
            let field = serde_json::to_value(problem).unwrap()["field"].as_str().unwrap().to_owned();
            let response = refusal.into_response();
            assert_eq!(
                response.headers().contains_key(header::WWW_AUTHENTICATE),
                response.status() == StatusCode::UNAUTHORIZED
            );
            (response.status().as_u16(), field)
        }
    }
}

#[test]
fn with_a_token_everything_but_health_and_the_page_needs_it() {
    let good = format!("Bearer {}", str::from_utf8(TOKEN).unwrap());
    let lower = good.replace("Bearer", "bearer");
    for path in ["/healthz", "/readyz", "/", "/dashboard.js", "/dashboard.css"] {
        assert_eq!(judge(Some(TOKEN), &format!("GET {path}"), &[]).0, 200, "{path}");
    }
    for path in
        ["/metrics", "/api", "/api/hub", "/openapi.json", "/hub/events", "/nowhere", "//", "/dashboard.js/"]
    {
        let line = format!("GET {path}");
        for (authorization, status) in [
            (&*good, 200),
            (&*lower, 200),
            ("Bearer wrong", 401),
            (&good[..good.len() - 1], 401),
            (&*format!("{good} "), 401),
            ("Basic YTpi", 401),
            ("", 401),
        ] {
            let judged = judge(Some(TOKEN), &line, &[("authorization", authorization)]);
            assert_eq!(judged.0, status, "{path} {authorization:?}");
        }
        assert_eq!(judge(Some(TOKEN), &line, &[]), (401, "Authorization".to_owned()), "{path}");
    }
}

#[test]
fn with_a_token_any_name_will_do() {
    let authorization = format!("Bearer {}", str::from_utf8(TOKEN).unwrap());
    let headers =
        [("authorization", &*authorization), ("host", "hub.example"), ("origin", "https://admin.example")];
    assert_eq!(judge(Some(TOKEN), "POST /api/drain", &headers).0, 200);
}

#[test]
fn without_a_token_only_names_that_nobody_can_own_lead_here() {
    for (host, status) in [
        ("127.0.0.1:9180", 200),
        ("[::1]:9180", 200),
        ("192.0.2.1", 200),
        ("localhost", 200),
        ("LOCALHOST:9180", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:9180", 421),
        ("user@evil.example", 421),
        ("", 421),
    ] {
        assert_eq!(judge(None, "GET /api/hub", &[("host", host)]).0, status, "{host}");
        assert_eq!(judge(None, "GET /", &[("host", host)]).0, status, "{host}");
    }
    assert_eq!(judge(None, "GET /api/hub", &[]), (421, "Host".to_owned()));
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_eq!(judge(None, &format!("GET {path}"), &[("host", "hub.example")]).0, 200, "{path}");
    }
}

#[test]
fn without_a_token_pages_of_other_origins_neither_look_nor_change_anything() {
    let host = ("host", "localhost:9180");
    for (line, header, status) in [
        ("GET /api/hub", ("sec-fetch-site", "same-origin"), 200),
        ("GET /api/hub", ("sec-fetch-site", "none"), 200),
        ("GET /api/hub", ("sec-fetch-site", "cross-site"), 403),
        ("GET /api/live", ("sec-fetch-site", "same-site"), 403),
        ("GET /", ("sec-fetch-site", "cross-site"), 200),
        ("POST /api/drain", ("origin", "http://localhost:9180"), 200),
        ("POST /api/drain", ("origin", "https://LOCALHOST:9180"), 200),
        ("POST /api/drain", ("origin", "http://localhost"), 403),
        ("POST /api/drain", ("origin", "http://evil.example"), 403),
        ("POST /hub/publish", ("origin", "null"), 403),
        ("DELETE /api/connections/0-0-0", ("origin", "http://localhost:8080"), 403),
        ("PUT /api/log-level", ("sec-fetch-site", "cross-site"), 403),
    ] {
        assert_eq!(judge(None, line, &[host, header]).0, status, "{line} {header:?}");
    }
}
