//! The machine that is measured on: what results say of it, and whether it can measure at all.
//!
//! Not here: memory that a target holds; its process tree and the kernel tell that.

use std::fs;

use anyhow::{Context, bail, ensure};

use crate::figures::Machine;

impl Machine {
    /// This one.
    ///
    /// # Errors
    /// If `/proc` does not tell.
    pub fn this() -> anyhow::Result<Self> {
        let cpuinfo = read("/proc/cpuinfo")?;
        let memory_kib = meminfo_kib(&read("/proc/meminfo")?, "MemTotal")?;
        Ok(Self {
            cpu: model(&cpuinfo).unwrap_or("unknown").to_owned(),
            cores: corecast_ring::cores()?.len(),
            memory_bytes: memory_kib * 1024,
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        })
    }
}

/// Memory that new work could have without swapping, in bytes.
///
/// # Errors
/// If `/proc/meminfo` does not tell.
pub fn memory_available_bytes() -> anyhow::Result<u64> {
    Ok(meminfo_kib(&read("/proc/meminfo")?, "MemAvailable")? * 1024)
}

/// Raises the limit of open files and checks that server and load have a core each.
///
/// # Errors
/// If they do not; the text says what to do.
pub fn prepare(server_core: usize, load_core: usize) -> anyhow::Result<()> {
    check_cores(&corecast_ring::cores()?, server_core, load_core)?;
    corecast_ring::raise_nofile().context("RLIMIT_NOFILE cannot be raised to its hard limit")?;
    Ok(())
}

fn check_cores(cores: &[usize], server_core: usize, load_core: usize) -> anyhow::Result<()> {
    ensure!(
        cores.len() >= 2,
        "this process may use {} core, and server and load need one each: results would not be comparable",
        cores.len()
    );
    for core in [server_core, load_core] {
        ensure!(cores.contains(&core), "core = {core} is not one that this process may use: {cores:?}");
    }
    if server_core == load_core {
        bail!("server and load cannot share core {server_core}: results would not be comparable");
    }
    Ok(())
}

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| path.to_owned())
}

/// x86 names the model of each core; others name less.
fn model(cpuinfo: &str) -> Option<&str> {
    let value =
        |name| cpuinfo.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    value("model name").or_else(|| value("CPU part")).map(str::trim)
}

fn meminfo_kib(meminfo: &str, name: &str) -> anyhow::Result<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|value| value.trim().strip_suffix(" kB")?.parse().ok());
    kib.with_context(|| format!("/proc/meminfo has no {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_name_cores_and_memory() {
        let machine = Machine::this().unwrap();
        assert!(machine.cores >= 1);
        assert!(machine.memory_bytes > memory_available_bytes().unwrap());
        assert!(machine.kernel.starts_with(|first: char| first.is_ascii_digit()), "{}", machine.kernel);
    }

    #[test]
    fn server_and_load_need_a_core_each() {
        for (cores, server, load, expected) in [
            (&[0][..], 0, 1, Some("this process may use 1 core")),
            (&[0, 1], 0, 0, Some("server and load cannot share core 0")),
            (&[0, 2], 0, 1, Some("core = 1 is not one that this process may use: [0, 2]")),
            (&[0, 2], 2, 0, None),
        ] {
            let error = check_cores(cores, server, load).err().map(|error| error.to_string());
            let is_as_expected = match (&error, expected) {
                (Some(text), Some(begin)) => text.starts_with(begin),
                (None, None) => true,
                _ => false,
            };
            assert!(is_as_expected, "{cores:?}, {server}, {load}: {error:?}");
        }
    }

    #[test]
    fn values_of_proc_are_found_by_their_whole_name() {
        let meminfo = "MemTotal:       24684044 kB\nMemFree:  12 kB\nMemAvailable:   123 kB\n";
        assert_eq!(meminfo_kib(meminfo, "MemAvailable").unwrap(), 123);
        assert!(meminfo_kib(meminfo, "Mem").is_err());
        assert_eq!(model("model\t\t: 85\nmodel name\t: A fast one\n"), Some("A fast one"));
        assert_eq!(model("processor: 0\n"), None);
    }
}
