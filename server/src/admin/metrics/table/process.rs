//! The process, and what the kernel holds for it and its neighbours.

use crate::admin::metrics::metric::{Metric, Number, Source};
use crate::driver::Chosen;

pub(super) const PROCESS: &[Metric] = &[
    Metric {
        name: "corecast_build_info",
        help: "Always 1; the label is the version of this binary.",
        source: Source::Info(|scrape| vec![("version", scrape.version)]),
    },
    Metric {
        name: "corecast_driver_info",
        help: "Always 1; the labels are what drives the sockets, the system calls it waits with, and why it was chosen.",
        source: Source::Info(|scrape| {
            let Chosen { choice, reason } = &scrape.driver;
            vec![("driver", choice.name()), ("reason", reason.word()), ("waits_with", choice.waits_with())]
        }),
    },
    Metric {
        name: "process_start_time_seconds",
        help: "When the process began, in seconds since 1970.",
        source: Source::Gauge(|scrape| scrape.started_secs().map(Number::Real)),
    },
    Metric {
        name: "process_cpu_seconds_total",
        help: "Time on all cores, in user and kernel mode.",
        source: Source::Counter(|scrape| Some(scrape.process.cpu?.as_secs_f64())),
    },
    Metric {
        name: "process_resident_memory_bytes",
        help: "Resident memory, without what the kernel holds for sockets.",
        source: Source::Gauge(|scrape| Some(Number::Whole(scrape.process.memory?.resident_bytes))),
    },
    Metric {
        name: "process_virtual_memory_bytes",
        help: "Virtual memory.",
        source: Source::Gauge(|scrape| Some(Number::Whole(scrape.process.memory?.virtual_bytes))),
    },
    Metric {
        name: "process_open_fds",
        help: "Descriptors open; from Linux 6.2 on. Sockets in a ring's own table are not among them.",
        source: Source::Gauge(|scrape| scrape.process.fds_open.map(Number::Whole)),
    },
    Metric {
        name: "process_max_fds",
        help: "Descriptors the process may open, if there is such a limit.",
        source: Source::Gauge(|scrape| scrape.process.fds_max.map(Number::Whole)),
    },
    Metric {
        name: "corecast_host_tcp_memory_bytes",
        help: "Memory in the buffers of all TCP sockets of the machine, whosever they are.",
        source: Source::Gauge(|scrape| scrape.host.tcp_memory.map(Number::Whole)),
    },
    Metric {
        name: "corecast_host_tcp_memory_limit_bytes",
        help: "Where the kernel begins to drop for want of such memory: the third number of net.ipv4.tcp_mem.",
        source: Source::Gauge(|scrape| scrape.host.tcp_memory_limit.map(Number::Whole)),
    },
];
