//! Ceilings and verdicts on machines that are made up, file by file; and files that say anything at all.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use corecast_ring::Need;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A machine on which everything is well: 2 cores, 8 GiB, a file system for the log.
const FILES: [(&str, &str); 19] = [
    ("proc/sys/kernel/osrelease", "6.18.1\n"),
    ("proc/sys/kernel/io_uring_disabled", "0\n"),
    ("proc/self/status", "Name:\tx\nCapEff:\t0000000000000000\nSeccomp:\t0\nCpus_allowed_list:\t0-1\n"),
    (
        "proc/self/limits",
        "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024    1048576    files\n\
         Max locked memory         8388608              8388608              bytes\n",
    ),
    ("proc/self/cgroup", "0::/system.slice/corecast.service\n"),
    ("proc/self/mountinfo", "1 0 259:1 / / rw - ext4 /dev/vda rw\n"),
    ("proc/meminfo", "MemTotal:  9 kB\nMemAvailable:    8388608 kB\n"),
    ("proc/sys/fs/file-nr", "1000\t0\t9223372036854775807\n"),
    ("proc/sys/fs/nr_open", "1048576\n"),
    ("proc/sys/net/core/somaxconn", "65535\n"),
    ("proc/sys/net/ipv4/tcp_max_syn_backlog", "65535\n"),
    ("proc/sys/net/ipv4/tcp_syncookies", "1\n"),
    ("proc/sys/net/ipv4/tcp_mem", "524288\t1048576\t2097152\n"),
    ("proc/sys/net/ipv4/ip_local_port_range", "10240\t65535\n"),
    ("proc/sys/net/netfilter/nf_conntrack_max", "262144\n"),
    ("proc/sys/net/netfilter/nf_conntrack_count", "0\n"),
    ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
    ("sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet acpi_pm\n"),
    ("sys/fs/cgroup/system.slice/corecast.service/memory.max", "max\n"),
];

const GROUP: &str = "sys/fs/cgroup/system.slice/corecast.service";

/// A made-up machine, gone when it is dropped.
struct Fake {
    root: TempDir,
    plan: Plan,
    probe: Probe,
}

impl Fake {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let driver = Driver::Auto;
        let plan = Plan { connections: 10_000, shards: None, driver, history_bytes: 64 << 20, log: None };
        let fake = Self { root, plan, probe: Probe { slots: 11_280, rings: 2, ..Probe::default() } };
        for (path, text) in FILES {
            fake.write(path, text.as_bytes());
        }
        fake
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn examine(&self) -> Report {
        examine(&self.plan, &Machine::at(self.root.path()), |_, _| self.probe.clone())
    }
}

fn find<'a>(report: &'a Report, name: &str) -> &'a Check {
    report.checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no check {name}"))
}

#[test]
fn a_machine_on_which_all_is_well_has_no_warning_and_a_ceiling() {
    let report = Fake::new().examine();
    for check in &report.checks {
        assert_eq!(check.verdict, Verdict::Ok, "{}: {}", check.title, check.found);
    }
    assert_eq!(report.shards, 2, "one for each core");
    assert_eq!(report.ceiling.unwrap().check, "memory");
    let mut names: Vec<_> = report.checks.iter().map(|check| check.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), report.checks.len(), "names are unique");
}

/// What a file says, which check looks at it, its verdict and ceiling for 10,000 connections, and a word of its remedy.
type Case = (&'static str, &'static str, &'static str, Verdict, Option<u64>, &'static str);

const NOFILE: &str = "proc/self/limits";
const MEMORY_MAX: &str = "sys/fs/cgroup/system.slice/corecast.service/memory.max";
const PARENT_MEMORY_MAX: &str = "sys/fs/cgroup/system.slice/memory.max";
const CPU_MAX: &str = "sys/fs/cgroup/system.slice/corecast.service/cpu.max";
const CLOCK: &str = "sys/devices/system/clocksource/clocksource0/current_clocksource";

const CASES: &[Case] = &[
    (NOFILE, "Max open files 1024 1024 files", "nofile", Verdict::Fail, Some(768), "LimitNOFILE=1048576"),
    (NOFILE, "Max open files 1024 5640 files", "nofile", Verdict::Warn, Some(10_000), "[hub] shards = 3"),
    (NOFILE, "Max open files 1024 5639 files", "nofile", Verdict::Fail, Some(9_998), "LimitNOFILE=1048576"),
    (NOFILE, "Max open files 20000 20000 files", "nofile", Verdict::Ok, Some(37_407), "prlimit --pid"),
    (
        NOFILE,
        "Max open files unlimited unlimited f",
        "nofile",
        Verdict::Ok,
        Some(1_973_550),
        "[hub] shards = 3",
    ),
    (NOFILE, "Max locked memory 0 0 bytes", "memlock", Verdict::Warn, None, "LimitMEMLOCK=8M"),
    (NOFILE, "Max locked memory unlimited unlimited bytes", "memlock", Verdict::Ok, None, ""),
    ("proc/sys/fs/nr_open", "4096", "nr_open", Verdict::Ok, Some(1_973_550), ""),
    ("proc/sys/fs/file-nr", "1000 0 12280", "file_max", Verdict::Ok, Some(10_000), "fs.file-max=4000000"),
    ("proc/sys/fs/file-nr", "1000 0 12279", "file_max", Verdict::Fail, Some(9999), "fs.file-max=4000000"),
    ("proc/sys/fs/file-nr", "9 0 3", "file_max", Verdict::Fail, Some(0), "fs.file-max = 4000000"),
    ("proc/meminfo", "MemAvailable: 117186 kB", "memory", Verdict::Warn, Some(10_113), "add memory"),
    ("proc/meminfo", "MemAvailable: 100000 kB", "memory", Verdict::Fail, Some(6114), "add memory"),
    (MEMORY_MAX, "50000000", "cgroup_memory", Verdict::Fail, Some(0), "MemoryMax="),
    (PARENT_MEMORY_MAX, "130000000", "cgroup_memory", Verdict::Warn, Some(12_386), "MemoryMax="),
    (MEMORY_MAX, "max", "cgroup_memory", Verdict::Ok, None, ""),
    (CPU_MAX, "max 100000", "cgroup_cpu", Verdict::Ok, None, ""),
    (CPU_MAX, "200000 100000", "cgroup_cpu", Verdict::Ok, None, "CPUQuota=200%"),
    (CPU_MAX, "150000 100000", "cgroup_cpu", Verdict::Warn, None, "[hub] shards = 1"),
    (CPU_MAX, "1 0", "cgroup_cpu", Verdict::Ok, None, ""),
    (
        "proc/sys/net/core/somaxconn",
        "4096",
        "somaxconn",
        Verdict::Warn,
        None,
        "sysctl -w net.core.somaxconn=65535",
    ),
    ("proc/sys/net/core/somaxconn", "5000", "somaxconn", Verdict::Ok, None, "net.core.somaxconn = 65535"),
    ("proc/sys/net/ipv4/tcp_max_syn_backlog", "128", "tcp_max_syn_backlog", Verdict::Ok, None, "=65535"),
    ("proc/sys/net/ipv4/tcp_syncookies", "0", "tcp_max_syn_backlog", Verdict::Ok, None, "tcp_syncookies=1"),
    ("proc/sys/net/ipv4/tcp_mem", "1 2 16000", "tcp_mem", Verdict::Ok, None, "\"524288 1048576 2097152\""),
    ("proc/sys/net/ipv4/tcp_mem", "1 2 15999", "tcp_mem", Verdict::Warn, None, "= 524288 1048576 2097152"),
    (
        "proc/sys/net/ipv4/ip_local_port_range",
        "60000 60999",
        "ip_local_port_range",
        Verdict::Warn,
        None,
        "10240 65535",
    ),
    ("proc/sys/net/ipv4/ip_local_port_range", "9 3", "ip_local_port_range", Verdict::Warn, None, "127.0.0.2"),
    (
        "proc/sys/net/netfilter/nf_conntrack_count",
        "252144",
        "conntrack",
        Verdict::Ok,
        Some(10_000),
        "notrack",
    ),
    (
        "proc/sys/net/netfilter/nf_conntrack_count",
        "252145",
        "conntrack",
        Verdict::Fail,
        Some(9999),
        "conntrack_max=524288",
    ),
    ("proc/sys/net/netfilter/nf_conntrack_max", "0", "conntrack", Verdict::Ok, None, ""),
    (CLOCK, "hpet", "clock_source", Verdict::Warn, None, "echo tsc > /sys/"),
    (CLOCK, "arch_sys_counter", "clock_source", Verdict::Ok, None, ""),
    (
        "proc/sys/kernel/io_uring_disabled",
        "1",
        "io_uring_disabled",
        Verdict::Warn,
        None,
        "kernel.io_uring_disabled=0",
    ),
    (
        "proc/sys/kernel/io_uring_disabled",
        "2",
        "io_uring_disabled",
        Verdict::Warn,
        None,
        "kernel.io_uring_disabled=0",
    ),
    ("proc/self/status", "Seccomp:\t2\n", "seccomp", Verdict::Ok, None, ""),
];

#[test]
fn every_limit_has_its_verdict_ceiling_and_remedy() {
    let mut wrong = Vec::new();
    for &(path, content, name, verdict, ceiling, remedy) in CASES {
        let fake = Fake::new();
        fake.write(path, content.as_bytes());
        let report = fake.examine();
        let check = find(&report, name);
        let is_judged = (check.verdict, check.ceiling) == (verdict, ceiling);
        let is_settled = check.remedy.iter().any(|step| step.line.contains(remedy));
        // Whatever is not well has a remedy.
        if !is_judged || !(is_settled || (remedy.is_empty() && verdict == Verdict::Ok)) {
            wrong.push(format!("{path} = {content:?}: {check:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn page_cache_of_a_group_is_not_in_the_way() {
    let fake = Fake::new();
    fake.write(MEMORY_MAX, b"300000000");
    fake.write(&format!("{GROUP}/memory.current"), b"299000000");
    assert_eq!(find(&fake.examine(), "cgroup_memory").verdict, Verdict::Fail);
    fake.write(&format!("{GROUP}/memory.stat"), b"anon 5\ninactive_file 290000000\n");
    assert_eq!(find(&fake.examine(), "cgroup_memory").verdict, Verdict::Ok);
}

#[test]
fn the_older_control_groups_are_read_too() {
    let fake = Fake::new();
    fake.write("proc/self/cgroup", b"4:memory:/a/b\n2:cpu,cpuacct:/../c\n0::/\n");
    fake.write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", b"50000000");
    fake.write("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", b"9223372036854771712");
    fake.write("sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", b"50000");
    fake.write("sys/fs/cgroup/cpu/c/cpu.cfs_period_us", b"100000");
    let report = fake.examine();
    assert_eq!(find(&report, "cgroup_memory").verdict, Verdict::Fail);
    assert_eq!(find(&report, "cgroup_cpu").found, "0.50 cores");
    fake.write("sys/fs/cgroup/cpu/c/cpu.cfs_quota_us", b"-1");
    assert_eq!(find(&fake.examine(), "cgroup_cpu").found, "no quota");
}

#[test]
fn more_shards_raise_the_ceiling_of_descriptors_and_of_nothing_else() {
    let mut fake = Fake::new();
    fake.write(NOFILE, b"Max open files 20000 20000 files\n");
    fake.plan.connections = 1_000_000;
    assert_eq!(find(&fake.examine(), "nofile").verdict, Verdict::Fail);
    fake.plan.shards = Some(64);
    let report = fake.examine();
    assert_eq!(find(&report, "nofile").verdict, Verdict::Ok);
    assert_eq!(find(&report, "cpus").found, "2 usable, 64 shards not pinned");
    assert_eq!(find(&report, "cgroup_cpu").verdict, Verdict::Ok);
}

#[test]
fn where_only_a_ring_will_do_its_lack_is_a_ceiling_of_zero_and_what_forbids_it_is_named() {
    let mut fake = Fake::new();
    fake.plan.driver = Driver::Uring;
    fake.write("proc/self/status", b"Seccomp:\t2\nCpus_allowed_list:\t0-1\n");
    fake.write("proc/sys/kernel/io_uring_disabled", b"1");
    let refusal = |cause| Some(Refusal { cause, text: "io_uring is forbidden here".to_owned() });
    fake.probe = Probe { tested: Tested::NoRing, refusal: refusal(Cause::Forbidden), ..Probe::default() };
    let report = fake.examine();
    assert_eq!(report.ceiling, Some(Ceiling { connections: 0, check: "io_uring_setup" }));
    assert_eq!(find(&report, "io_uring_disabled").verdict, Verdict::Fail);
    assert_eq!(find(&report, "seccomp").verdict, Verdict::Warn);
    let text = report.to_string();
    assert!(text.contains("SystemCallFilter=io_uring_setup io_uring_enter io_uring_register"), "{text}");
    assert!(text.ends_with("cannot be reached\n"), "{text}");

    fake.probe = Probe { rings: 1, refusal: refusal(Cause::Memory), ..Probe::default() };
    let report = fake.examine();
    let set_up = find(&report, "io_uring_setup");
    assert!(set_up.found.starts_with("1 of 2: ") && set_up.remedy[0].line == "LimitMEMLOCK=8M", "{set_up:?}");
    assert_eq!(find(&report, "io_uring_send_after_pass").verdict, Verdict::Ok, "the self-test had its ring");
}

#[test]
fn without_a_ring_another_driver_is_taken_and_its_descriptors_are_counted() {
    let refusal = || Some(Refusal { cause: Cause::Forbidden, text: "io_uring is forbidden here".to_owned() });
    for (can_wait, found) in [(true, "io_uring"), (false, "epoll")] {
        let mut fake = Fake::new();
        fake.write("proc/sys/kernel/io_uring_disabled", b"2");
        fake.probe = Probe { tested: Tested::NoRing, refusal: refusal(), can_wait, ..Probe::default() };
        let report = fake.examine();
        let driver = find(&report, "driver");
        assert_eq!(driver.verdict, Verdict::Warn);
        let expected = format!("monoio, which waits with {found}, since io_uring cannot be used: see below");
        assert_eq!(driver.found, expected);
        for name in ["io_uring_setup", "io_uring_disabled", "io_uring_direct_accept"] {
            assert_eq!(find(&report, name).verdict, Verdict::Warn, "{name}");
        }
        let shards = u64::from(report.shards);
        let nofile = find(&report, "nofile").ceiling.expect("it is a bound");
        fake.probe = Probe { tested: Tested::Met, ..Probe::default() };
        let with_rings = find(&fake.examine(), "nofile").ceiling.expect("it is a bound");
        assert!(nofile < with_rings / shards, "{nofile} for all, {with_rings} in tables of {shards} shards");
    }
}

#[test]
fn without_a_ring_for_each_shard_another_driver_is_taken() {
    let refusal = Some(Refusal { cause: Cause::Memory, text: "no memory".to_owned() });
    let mut fake = Fake::new();
    fake.probe = Probe { rings: 1, refusal, ..Probe::default() };
    let report = fake.examine();
    assert!(find(&report, "driver").found.starts_with("monoio"));
    let set_up = find(&report, "io_uring_setup");
    assert_eq!((set_up.verdict, set_up.ceiling), (Verdict::Warn, None));
    assert_eq!(set_up.remedy[0].line, "LimitMEMLOCK=8M");
}

#[test]
fn what_the_kernel_misses_is_told_by_name_and_what_follows_was_not_tried() {
    for (index, &need) in Need::ALL.iter().enumerate() {
        let mut fake = Fake::new();
        fake.plan.driver = Driver::Uring;
        fake.probe.tested = Tested::Missed(Miss { need, text: "missed".to_owned() });
        let report = fake.examine();
        let rows: Vec<_> = report.checks.iter().filter(|check| check.name.starts_with("io_uring_")).collect();
        // The first row is the set-up.
        for (row, check) in rows[1..=Need::ALL.len()].iter().enumerate() {
            let expected = match row.cmp(&index) {
                std::cmp::Ordering::Less => ("done", Verdict::Ok),
                std::cmp::Ordering::Equal => ("missed", Verdict::Fail),
                std::cmp::Ordering::Greater => ("not tried", Verdict::Warn),
            };
            assert_eq!((check.found.as_str(), check.verdict), expected, "{need}: {}", check.name);
        }
    }
}

#[test]
fn a_machine_without_any_file_is_examined_with_warnings() {
    let mut fake = Fake::new();
    for folder in ["proc", "sys"] {
        fs::remove_dir_all(fake.root.path().join(folder)).unwrap();
    }
    fake.plan.log = Some(LogPlan { path: fake.root.path().to_owned(), bytes: 1 << 20 });
    let report = fake.examine();
    assert_eq!((report.verdict, report.ceiling, report.shards), (Verdict::Warn, None, 1));
    for (name, verdict) in
        [("nofile", Verdict::Warn), ("conntrack", Verdict::Ok), ("io_uring_disabled", Verdict::Ok)]
    {
        assert_eq!(find(&report, name).verdict, verdict, "{name}");
    }
    assert!(find(&report, "nofile").found.contains("/proc/self/limits is not there"));
}

/// A check of the log's folder: its name, what of it must be found, its verdict.
type LogCase = (&'static str, &'static str, Verdict);

fn check_log(path: &std::path::Path, bytes: u64, cases: &[LogCase]) {
    let mut fake = Fake::new();
    fake.plan.log = Some(LogPlan { path: path.to_owned(), bytes });
    let report = fake.examine();
    for &(name, found, verdict) in cases {
        let check = find(&report, name);
        assert!(check.found.contains(found) && check.verdict == verdict, "{path:?}: {check:?}");
    }
}

#[test]
fn the_folder_of_a_log_is_looked_at_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path();
    fs::set_permissions(there, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(there.join("file"), [1; 10_000]).unwrap();
    check_log(
        there,
        1 << 20,
        &[
            ("log_folder", "mode 0700", Verdict::Ok),
            ("log_file_system", "ext4", Verdict::Ok),
            ("log_space", " of log.bytes = 1MiB used", Verdict::Ok),
            ("log_sync", "median of", Verdict::Ok),
        ],
    );
    assert_eq!(fs::read_dir(there).unwrap().count(), 1, "nothing is left behind");
    check_log(there, 1 << 60, &[("log_space", "free", Verdict::Warn)]);
    check_log(
        &there.join("new"),
        1 << 20,
        &[
            ("log_folder", "is not there, the hub makes it", Verdict::Ok),
            ("log_sync", "median of", Verdict::Ok),
        ],
    );
    check_log(&there.join("a/b"), 1 << 20, &[("log_folder", "is not there", Verdict::Fail)]);
    check_log(&there.join("file"), 1 << 20, &[("log_folder", "is not a folder", Verdict::Fail)]);
    check_log(&there.join("file/x"), 1 << 20, &[("log_folder", "Not a directory", Verdict::Fail)]);
    assert!(!there.join("new").exists());
}

#[test]
fn a_log_that_does_not_last_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    for (mount, found) in [
        ("1 0 0:1 / / rw - tmpfs tmpfs rw", "tmpfs: gone"),
        ("1 0 0:1 / / rw - overlay overlay rw,lowerdir=/x", "overlay: gone"),
        ("1 0 0:1 / / rw - ext4 /dev/vda rw,nobarrier", "without barriers"),
        ("1 0 0:1 / / rw - nfs4 server:/x rw", "nfs4: not known"),
        ("", "no mount for"),
    ] {
        let mut fake = Fake::new();
        fake.write("proc/self/mountinfo", mount.as_bytes());
        fake.plan.log = Some(LogPlan { path: folder.path().to_owned(), bytes: 1 << 20 });
        let report = fake.examine();
        let check = find(&report, "log_file_system");
        assert!(check.found.contains(found) && check.verdict == Verdict::Warn, "{mount}: {check:?}");
    }
}

#[test]
fn a_file_without_end_is_read_in_part() {
    let fake = Fake::new();
    let huge = vec![b'9'; 8 << 20];
    for (path, _) in FILES {
        fake.write(path, &huge);
    }
    let text = fake.examine().to_string();
    assert!(text.len() < 64 << 10, "{} bytes", text.len());
}

#[test]
fn every_file_may_be_a_folder_or_gone() {
    for (path, _) in FILES {
        let fake = Fake::new();
        let place = fake.root.path().join(path);
        fs::remove_file(&place).unwrap();
        let gone = fake.examine();
        fs::create_dir(&place).unwrap();
        let folder = fake.examine();
        assert_eq!(gone.checks.len(), folder.checks.len(), "{path}");
    }
}

/// Nothing, numbers at every edge, words with what would steer a terminal, and bytes of any kind.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        Just(0),
        Just(1),
        Just(u64::from(u32::MAX)),
        Just(i64::MAX as u64),
        Just(u64::MAX - 1),
        Just(u64::MAX),
        any::<u64>()
    ];
    let numbers = proptest::collection::vec(number, 0..5).prop_map(|numbers| {
        let words: Vec<_> = numbers.iter().map(u64::to_string).collect();
        words.join("\t").into_bytes()
    });
    let key = prop_oneof![
        Just("Max open files"),
        Just("Max locked memory"),
        Just("MemAvailable:"),
        Just("Cpus_allowed_list:"),
        Just("CapEff:"),
        Just("Seccomp:"),
        Just("0::/"),
        Just("3:memory:/"),
    ];
    let line = (key, "[0-9a-z ,:\\-/]{0,24}").prop_map(|(key, rest)| format!("{key}{rest}\n").into_bytes());
    let bytes = proptest::collection::vec(any::<u8>(), 0..200);
    prop_oneof![Just(Vec::new()), numbers, line, "\\PC{0,40}".prop_map(String::into_bytes), bytes]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_files_contain_the_report_is_complete_and_plain(
        contents in proptest::collection::vec(content(), FILES.len()),
        group in content(),
        connections in 1_u32..1 << 24,
        shards in proptest::option::of(1_u32..1024),
    ) {
        let mut fake = Fake::new();
        let rows = fake.examine().checks.len();
        for ((path, _), content) in FILES.iter().zip(&contents) {
            fake.write(path, content);
        }
        for name in ["memory.max", "memory.current", "cpu.max"] {
            fake.write(&format!("sys/fs/cgroup/{name}"), &group);
        }
        fake.plan.connections = connections;
        fake.plan.shards = shards;
        let report = fake.examine();
        prop_assert_eq!(report.checks.len(), rows);
        let text = report.to_string();
        prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{}", text);
    }
}
