//! What the control thread does: drains, reloads, watches.

use crate::admin::metrics::metric::{Metric, Number, Source};

pub(super) const HUB: &[Metric] = &[
    Metric {
        name: "corecast_draining",
        help: "1 while the hub takes no more and ends its streams, else 0.",
        source: Source::Gauge(|scrape| Some(u32::from(scrape.draining).into())),
    },
    Metric {
        name: "corecast_config_reloads_total",
        help: "Reloads of the configuration, by how they ended.",
        source: Source::CountByKind("result", |scrape| {
            vec![("applied", scrape.control.reloads_applied), ("failed", scrape.control.reloads_failed)]
        }),
    },
    Metric {
        name: "corecast_config_last_reload_successful",
        help: "Whether the last reload was applied: 1, also before the first, or 0.",
        source: Source::Gauge(|scrape| Some(u32::from(scrape.control.last_reload_applied).into())),
    },
    Metric {
        name: "corecast_config_last_reload_time_seconds",
        help: "When the configuration in force was read, in seconds since 1970.",
        source: Source::Gauge(|scrape| scrape.config_read_secs().map(Number::Real)),
    },
    Metric {
        name: "corecast_watchdog_proofs_total",
        help: "Times every shard, the sequencer and the reader were seen to turn; 0 without a watchdog.",
        source: Source::Counter(|scrape| Some(scrape.control.watchdog_proofs as f64)),
    },
    Metric {
        name: "corecast_watchdog_misses_total",
        help: "Times one of them was not seen to turn in time.",
        source: Source::Counter(|scrape| Some(scrape.control.watchdog_misses as f64)),
    },
];
