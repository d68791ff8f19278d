//! Writes the table with its values as OpenMetrics text.
//!
//! Not here: escaping, suffixes and the order of lines, which are the encoder's.

use std::fmt;

use corecast_core::close_reason::CloseReason;
use corecast_core::counters::{Counters, DURATION_BOUNDS_SECS, DurationHistogram};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, MetricEncoder, NoLabelSet};
use prometheus_client::registry::Registry;

use super::metric::{Metric, Number, Source};
use super::scrape::{FileLogScrape, Scrape};
use super::table::METRICS;
use crate::admin::AdminState;
use crate::log::file::LogState;
use crate::log::timed::{APPEND_BOUNDS_MICROS, AppendTimesSnapshot};

/// All metrics of `state`, as they are now.
///
/// # Errors
/// The encoder cannot express one of them: a bug in the table.
pub(in crate::admin) fn expose(state: &AdminState) -> Result<String, fmt::Error> {
    encode_scrape(Scrape::of(state))
}

pub(super) fn encode_scrape(scrape: Scrape) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(scrape));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        METRICS.iter().try_for_each(|metric| encode_metric(&mut encoder, metric, self))
    }
}

fn encode_metric(encoder: &mut DescriptorEncoder<'_>, metric: &Metric, scrape: &Scrape) -> fmt::Result {
    let (stem, unit) = metric.stem_and_unit();
    let mut encoder = encoder.encode_descriptor(stem, metric.help, unit.as_ref(), metric.metric_type())?;
    match metric.source {
        Source::Total(read) => encode_counter(&mut encoder, &scrape.sum(read)),
        Source::TotalByReason(read) => encode_by_reason(&mut encoder, scrape, read),
        Source::DurationsByReason(read) => encode_durations(&mut encoder, scrape, read),
        Source::OfShard(read) => scrape.shards.iter().enumerate().try_for_each(|(shard, snapshot)| {
            encoder.encode_family(&[("shard", shard)])?.encode_gauge(&read(snapshot))
        }),
        Source::Counter(read) => read(scrape).map_or(Ok(()), |value| encode_counter(&mut encoder, &value)),
        Source::Gauge(read) => match read(scrape) {
            Some(Number::Whole(value)) => encoder.encode_gauge(&value),
            Some(Number::Real(value)) => encoder.encode_gauge(&value),
            None => Ok(()),
        },
        Source::LogTotal(read) => of_log(scrape, |log| encode_counter(&mut encoder, &read(log))),
        Source::LogTotalByKind(read) => of_log(scrape, |log| {
            read(log).into_iter().try_for_each(|(kind, value)| {
                encode_counter(&mut encoder.encode_family(&[("kind", kind)])?, &value)
            })
        }),
        Source::LogGauge(read) => of_log(scrape, |log| encoder.encode_gauge(&read(log))),
        Source::LogState(read) => of_log(scrape, |log| encode_state(&mut encoder, read(log))),
        Source::LogDurations(read) => of_log(scrape, |log| encode_times(&mut encoder, read(log))),
        Source::Version(read) => encoder.encode_info(&[("version", read(scrape))]),
    }
}

fn encode_counter(encoder: &mut MetricEncoder<'_>, value: &impl EncodeCounterValue) -> fmt::Result {
    encoder.encode_counter::<NoLabelSet, _, f64>(value, None)
}

/// A memory log has nothing to show.
fn of_log(scrape: &Scrape, encode: impl FnOnce(&FileLogScrape) -> fmt::Result) -> fmt::Result {
    scrape.log.as_ref().map_or(Ok(()), encode)
}

/// A series for each state, so that an alert needs to know no numbers.
fn encode_state(encoder: &mut MetricEncoder<'_>, state: LogState) -> fmt::Result {
    [(LogState::Ok, "ok"), (LogState::Full, "full"), (LogState::Failed, "failed")].into_iter().try_for_each(
        |(other, name)| encoder.encode_family(&[("state", name)])?.encode_gauge(&u64::from(state == other)),
    )
}

fn encode_times(encoder: &mut MetricEncoder<'_>, times: &AppendTimesSnapshot) -> fmt::Result {
    let upper_bounds =
        APPEND_BOUNDS_MICROS.into_iter().map(|micros| micros as f64 / 1e6).chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = upper_bounds.zip(times.buckets).collect();
    let count = times.buckets.iter().sum();
    encoder.encode_histogram::<NoLabelSet>(times.sum_micros as f64 / 1e6, count, &buckets, None)
}

/// All reasons, also those that have not occurred: an alert on the first one needs the 0 before it.
fn encode_by_reason(
    encoder: &mut MetricEncoder<'_>,
    scrape: &Scrape,
    read: fn(&Counters, CloseReason) -> u64,
) -> fmt::Result {
    CloseReason::ALL.into_iter().try_for_each(|reason| {
        let value = scrape.sum(|shard| read(&shard.counters, reason));
        encode_counter(&mut encoder.encode_family(&[("reason", reason.label())])?, &value)
    })
}

/// Only the reasons that have occurred: each costs a series for every bound.
fn encode_durations(
    encoder: &mut MetricEncoder<'_>,
    scrape: &Scrape,
    read: fn(&Counters, CloseReason) -> &DurationHistogram,
) -> fmt::Result {
    for reason in CloseReason::ALL {
        let histograms = || scrape.shards.iter().map(|shard| read(&shard.counters, reason));
        let upper_bounds = DURATION_BOUNDS_SECS.into_iter().map(|bound| bound as f64).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = upper_bounds
            .enumerate()
            .map(|(bucket, bound)| (bound, histograms().map(|durations| durations.buckets[bucket]).sum()))
            .collect();
        let count = buckets.iter().map(|&(_, count)| count).sum();
        if count == 0 {
            continue;
        }
        let sum_ms: u64 = histograms().map(|durations| durations.sum_ms).sum();
        encoder.encode_family(&[("status", reason.label())])?.encode_histogram::<NoLabelSet>(
            sum_ms as f64 / 1000.0,
            count,
            &buckets,
            None,
        )?;
    }
    Ok(())
}
