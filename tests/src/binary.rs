//! Where the hub's binary is: `CORECAST_BIN`, or built here once.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The hub's binary.
///
/// # Panics
/// If it cannot be built.
pub fn corecast() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("CORECAST_BIN").map_or_else(build, PathBuf::from))
}

/// Optimised, since the tests run hubs at full size. Cargo's own lock makes builds of parallel tests wait for the
/// first one, and its messages say where the binary is, whatever the target directory.
fn build() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--package",
            "corecast",
            "--bin",
            "corecast",
            "--message-format",
            "json",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be run where its tests run");
    assert!(output.status.success(), "the hub does not build:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("cargo names the executable it was asked to build")
}
