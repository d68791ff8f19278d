//! Key material from real files and a real loopback server.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

use super::*;

/// A file that is gone when the test ends.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, bytes: &[u8], mode: u32) -> Self {
        let path = std::env::temp_dir().join(format!("corecast-keys-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

#[test]
fn one_line_end_is_dropped_from_a_shared_secret() {
    for (name, end) in [("none", ""), ("lf", "\n"), ("crlf", "\r\n")] {
        let file = TempFile::new(name, &[SECRET, end.as_bytes()].concat(), 0o600);
        assert_eq!(read_hmac_key(&file.0).unwrap().secret.expose(), SECRET, "{name}");
    }
    let file = TempFile::new("two", &[SECRET, b"\n\n"].concat(), 0o600);
    assert_eq!(read_hmac_key(&file.0).unwrap().secret.expose(), [SECRET, b"\n"].concat());
}

#[test]
fn a_shared_secret_may_be_binary() {
    let bytes: Vec<u8> = (128..=255).collect();
    let file = TempFile::new("binary", &bytes, 0o600);
    assert_eq!(read_hmac_key(&file.0).unwrap().secret.expose(), bytes);
}

#[test]
fn a_file_that_everybody_can_read_is_noticed() {
    for (mode, expected) in [(0o600, false), (0o640, false), (0o644, true)] {
        let file = TempFile::new(&format!("mode-{mode:o}"), SECRET, mode);
        assert_eq!(read_hmac_key(&file.0).unwrap().is_world_readable, expected, "{mode:o}");
    }
}

#[test]
fn a_short_or_huge_secret_is_refused() {
    let short = TempFile::new("short", &SECRET[1..], 0o600);
    assert!(matches!(read_hmac_key(&short.0), Err(KeyError::TooShort(31))));
    let huge = TempFile::new("huge", &vec![b'x'; (64 << 10) + 1], 0o600);
    assert!(matches!(read_hmac_key(&huge.0), Err(KeyError::FileTooLarge)));
}

#[test]
fn a_public_key_is_pem_and_not_private() {
    for (name, text, expected) in [
        ("public", "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n", None),
        ("private", "-----BEGIN EC PRIVATE KEY-----\n", Some(KeyError::PrivateKey.to_string())),
        ("text", "hello", Some(KeyError::NotPem.to_string())),
    ] {
        let file = TempFile::new(name, text.as_bytes(), 0o600);
        assert_eq!(read_public_key(&file.0).err().map(|error| error.to_string()), expected, "{name}");
    }
}

/// Answers one request with `answer` and returns the URL to ask.
fn serve_once(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        // The client may refuse the answer before it has all of it.
        let _ = socket.write_all(&answer);
    });
    url
}

#[test]
fn a_key_set_is_fetched_as_it_is() {
    let url = serve_once(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"keys\":[]}".to_vec());
    assert_eq!(fetch_key_set(&url).unwrap(), b"{\"keys\":[]}");
}

#[test]
fn an_error_a_redirect_and_an_endless_key_set_are_refused() {
    let mut endless = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    endless.resize((1 << 20) + 4096, b' ');
    for (answer, expected) in [
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n".to_vec(), "503"),
        (b"HTTP/1.1 302 No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_vec(), "302"),
        (endless, "limit"),
    ] {
        let url = serve_once(answer);
        let error = fetch_key_set(&url).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(&url), "{error}");
    }
}

#[test]
fn only_this_machine_is_loopback() {
    for (host, expected) in [
        ("localhost", true),
        ("127.0.0.1", true),
        ("127.8.9.10", true),
        ("[::1]", true),
        ("10.0.0.1", false),
        ("localhost.example.com", false),
        ("127.0.0.1.example.com", false),
        ("", false),
    ] {
        assert_eq!(is_loopback(host), expected, "{host}");
    }
}
