//! A hub with too few rights does not start, and names the line of the unit that is missing.
//!
//! Run as root, which gives the rights up: no capability, another user, a lower limit, a system call that is refused.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};

use corecast_tests::binary;
use corecast_tests::hub::{Hub, HubBuilder};

/// Words before the command that make it somebody else's: `nobody`, by tradition, with no capability.
const AS_NOBODY: [&str; 6] =
    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"];

/// Runs `corecast serve` behind the words `before`, to its end, which must come by itself.
fn serve_within(before: &[&str], builder: &HubBuilder) -> Output {
    let home = tempfile::tempdir().expect("a temporary folder");
    open_to_all(home.path());
    let config = home.path().join("corecast.toml");
    fs::write(&config, builder.toml()).expect("the temporary folder can be written");
    serve_file(before, home.path(), &config)
}

/// As [`serve_within`], of a configuration that is there. The binary is copied to `home`, where everybody may run it.
fn serve_file(before: &[&str], home: &Path, config: &Path) -> Output {
    let binary = home.join("corecast");
    fs::copy(binary::corecast(), &binary).expect("the binary can be copied");
    let mut command = Command::new("timeout");
    command.arg("20").args(before).arg(binary).arg("serve").arg("--config").arg(config);
    command.output().expect("every machine has timeout(1)")
}

fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("our own folder");
}

#[track_caller]
fn assert_says(output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{:?}: {text}", output.status);
    let error = text.lines().find(|line| words.iter().all(|word| line.contains(word)));
    assert!(error.is_some(), "no line has all of {words:?} in: {text}");
    assert!(!text.contains("panicked"), "{text}");
}

/// What a seccomp filter with `SystemCallErrorNumber=` does, by other means.
fn refusing<'a>(call: &'a str, injection: &'a str) -> [&'a str; 8] {
    ["strace", "--follow-forks", "--quiet=all", "--output=/dev/null", "-e", call, "-e", injection]
}

#[test]
fn too_few_open_files_for_the_connections_name_the_limit() {
    let output =
        serve_within(&["prlimit", "--nofile=1024"], &Hub::builder().set("limits.connections", 10_000));
    assert_says(&output, &["limits.connections = 10000", "LimitNOFILE=1048576"]);
}

#[test]
fn too_few_open_files_for_the_shards_name_the_limit() {
    let builder = Hub::builder().set("hub.shards", 64).set("limits.connections", 16);
    assert_says(&serve_within(&["prlimit", "--nofile=100"], &builder), &["LimitNOFILE="]);
}

#[test]
fn too_little_locked_memory_for_the_rings_names_the_limit() {
    let before = [&["prlimit", "--memlock=0"], &AS_NOBODY[..]].concat();
    let builder = Hub::builder().set("hub.driver", "uring");
    assert_says(&serve_within(&before, &builder), &["io_uring_setup", "LimitMEMLOCK="]);
}

#[test]
fn a_filter_without_io_uring_is_named() {
    for call in ["io_uring_setup", "io_uring_enter", "io_uring_register"] {
        let injection = format!("inject={call}:error=EPERM");
        let trace = format!("trace={call}");
        let builder = Hub::builder().set("hub.driver", "uring");
        let output = serve_within(&refusing(&trace, &injection), &builder);
        assert_says(&output, &["SystemCallFilter=io_uring_setup io_uring_enter io_uring_register"]);
    }
}

#[test]
fn a_unit_without_internet_sockets_is_named() {
    // Any first socket: a filter of addresses looks at the arguments, which an injection cannot.
    let before = refusing("trace=socket", "inject=socket:error=EAFNOSUPPORT");
    assert_says(&serve_within(&before, &Hub::builder()), &["RestrictAddressFamilies=AF_INET AF_INET6"]);
}

#[test]
fn a_port_below_1024_names_the_capability_and_the_socket_unit() {
    let output = serve_within(&AS_NOBODY, &Hub::builder().set("hub.listen", "127.0.0.1:80"));
    assert_says(&output, &["127.0.0.1:80", "AmbientCapabilities=CAP_NET_BIND_SERVICE", "ListenStream="]);
    let output = serve_within(&AS_NOBODY, &Hub::builder().set("admin.listen", "127.0.0.1:81"));
    assert_says(&output, &["admin.listen", "127.0.0.1:81", "1024"]);
}

#[test]
fn a_log_that_may_not_be_made_names_the_state_directory() {
    let above = tempfile::tempdir().unwrap();
    open_to_all(above.path());
    let log = above.path().join("log");
    let log = log.to_str().expect("temporary folders have plain names");
    let output = serve_within(&AS_NOBODY, &Hub::builder().set("log.kind", "file").set("log.path", log));
    assert_says(&output, &["log.path", log, "user 65534", "StateDirectory=", "install -d -o 65534"]);
}

#[test]
fn a_log_of_somebody_else_names_the_state_directory() {
    let log = tempfile::tempdir().unwrap();
    open_to_all(log.path());
    let path = log.path().to_str().expect("temporary folders have plain names");
    let output = serve_within(&AS_NOBODY, &Hub::builder().set("log.kind", "file").set("log.path", path));
    assert_says(&output, &["log.path", path, "user 65534", "StateDirectory="]);
}

#[test]
fn files_that_may_not_be_read_name_the_group() {
    let home = tempfile::tempdir().unwrap();
    open_to_all(home.path());
    let (key, config) = (home.path().join("hmac.key"), home.path().join("corecast.toml"));
    fs::write(&key, "0123456789abcdef".repeat(4)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let named = key.to_str().expect("temporary folders have plain names");
    let builder = Hub::builder().unset("auth.hmac_key").set("auth.hmac_key_file", named);
    fs::write(&config, builder.toml()).unwrap();
    let output = serve_file(&AS_NOBODY, home.path(), &config);
    assert_says(&output, &["auth.hmac_key_file", named, "user 65534 and group 65534", "chgrp 65534"]);

    chown(&key, None, Some(65_534)).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o640)).unwrap();
    let output = serve_file(&AS_NOBODY, home.path(), &config);
    assert_says(&output, &["corecast.toml", "chgrp 65534"]);
}

#[test]
fn a_hidden_proc_is_named() {
    let hide = "mount -t proc -o subset=pid proc /proc && exec \"$@\"";
    let before = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", hide, "sh"];
    assert_says(&serve_within(&before, &Hub::builder()), &["/proc/meminfo", "ProcSubset=pid"]);
}

#[test]
fn too_few_threads_name_the_limit() {
    // Root is exempt, so it counts for nobody; who else is nobody does not matter, since one is too few.
    let before = [&["prlimit", "--nproc=1"], &AS_NOBODY[..]].concat();
    assert_says(&serve_within(&before, &Hub::builder()), &["cannot start a thread", "TasksMax="]);
}
