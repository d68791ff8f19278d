//! Writes the table with its values as OpenMetrics text.
//!
//! Not here: escaping, suffixes and the order of lines, which are the encoder's.

use std::fmt;
use std::time::Duration;

use corecast_core::close_reason::CloseReason;
use corecast_core::connection::Phase;
use corecast_core::counters::{Counters, DURATION_BOUNDS_SECS, DurationHistogram};
use corecast_core::engine::inspect::{Owner, OwnerRow};
use corecast_core::latency::Latencies;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, MetricEncoder, NoLabelSet};
use prometheus_client::registry::Registry;

use super::metric::{Metric, Number, Source};
use super::scrape::{FileLogScrape, Scrape};
use super::table::metrics;
use crate::admin::AdminState;
use crate::admin::survey::OWNERS_MAX;
use crate::log::file::LogState;
use crate::log::timed::{APPEND_BOUNDS_MICROS, AppendTimesSnapshot};
use crate::shard::stats::Snapshot;

/// Upper bounds of the buckets of the fan-out's latencies, in microseconds: 1, 2, 5 in each decade, from what a few streams
/// take to where clients give up.
pub(super) const FANOUT_BOUNDS_MICROS: [u64; 17] = [
    50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
    2_000_000, 5_000_000, 10_000_000,
];

/// Under which the streams of all users that are not shown are counted, and those of nobody.
pub(super) const OTHER_USERS: &str = "_other";

/// All metrics of `state`, as they are now.
///
/// # Errors
/// The encoder cannot express one of them: a bug in the table.
pub(in crate::admin) async fn expose(state: &AdminState) -> Result<String, fmt::Error> {
    let top_users = top_users(state).await;
    encode_scrape(Scrape::of(state, top_users))
}

/// The users with the most streams, as many as are to be shown; `None` if none are. Clients without a token choose their names
/// themselves, and count among the others; so does a user whose name is that of the others.
async fn top_users(state: &AdminState) -> Option<Vec<(Box<str>, u32)>> {
    let count = state.config.now().config.metrics.top_users as usize;
    if count == 0 {
        return None;
    }
    let owners = state.survey.top_owners(OWNERS_MAX).await.unwrap_or_default();
    let users = owners.into_iter().filter_map(|OwnerRow { owner, connections }| match owner {
        Owner::User(user) if *user != *OTHER_USERS => Some((user, connections)),
        Owner::User(_) | Owner::Anonymous(_) => None,
    });
    Some(users.take(count).collect())
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
        metrics().try_for_each(|metric| encode_metric(&mut encoder, metric, self))
    }
}

fn encode_metric(encoder: &mut DescriptorEncoder<'_>, metric: &Metric, scrape: &Scrape) -> fmt::Result {
    let (stem, unit) = metric.stem_and_unit();
    let mut encoder = encoder.encode_descriptor(stem, metric.help, unit.as_ref(), metric.metric_type())?;
    match metric.source {
        Source::Total(read) => encode_counter(&mut encoder, &scrape.sum(read)),
        Source::TotalOfShard(read) => scrape.shards.iter().enumerate().try_for_each(|(shard, snapshot)| {
            encode_number(&mut encoder.encode_family(&[("shard", shard)])?, read(snapshot))
        }),
        Source::TotalByReason(reasons, read) => encode_by_reason(&mut encoder, scrape, reasons, read),
        Source::TotalByKind(label, read) => encode_kinds(&mut encoder, label, &scrape.sum_kinds(read)),
        Source::CountByKind(label, read) => encode_kinds(&mut encoder, label, &read(scrape)),
        Source::DurationsByReason(read) => encode_durations(&mut encoder, scrape, read),
        Source::Latencies(read) => encode_latencies(&mut encoder, scrape, read),
        Source::OfShardByPhase(read) => encode_phases(&mut encoder, scrape, read),
        Source::InboxEvents => scrape.inbox_events.iter().enumerate().try_for_each(|(shard, events)| {
            encoder.encode_family(&[("shard", shard)])?.encode_gauge(&(*events as u64))
        }),
        Source::ActiveStreams => encode_active_streams(&mut encoder, scrape),
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
        Source::LogTotalByKind(read) => of_log(scrape, |log| encode_kinds(&mut encoder, "kind", &read(log))),
        Source::LogGauge(read) => of_log(scrape, |log| encoder.encode_gauge(&read(log))),
        Source::LogState(read) => of_log(scrape, |log| encode_state(&mut encoder, read(log))),
        Source::LogDurations(read) => of_log(scrape, |log| encode_times(&mut encoder, read(log))),
        Source::Info(read) => encoder.encode_info(&read(scrape)),
    }
}

fn encode_counter(encoder: &mut MetricEncoder<'_>, value: &impl EncodeCounterValue) -> fmt::Result {
    encoder.encode_counter::<NoLabelSet, _, f64>(value, None)
}

fn encode_number(encoder: &mut MetricEncoder<'_>, value: Number) -> fmt::Result {
    match value {
        Number::Whole(value) => encode_counter(encoder, &value),
        Number::Real(value) => encode_counter(encoder, &value),
    }
}

fn encode_kinds(
    encoder: &mut MetricEncoder<'_>,
    label: &'static str,
    kinds: &[(&'static str, u64)],
) -> fmt::Result {
    kinds
        .iter()
        .try_for_each(|&(kind, value)| encode_counter(&mut encoder.encode_family(&[(label, kind)])?, &value))
}

/// One series, or one for each user that is shown and one for all others: the sum is that of all streams either way.
fn encode_active_streams(encoder: &mut MetricEncoder<'_>, scrape: &Scrape) -> fmt::Result {
    let Some(users) = &scrape.top_users else { return encoder.encode_gauge(&scrape.streams) };
    let mut others = u64::from(scrape.streams);
    for (user, streams) in users {
        others = others.saturating_sub((*streams).into());
        encoder.encode_family(&[("user_id", &**user)])?.encode_gauge(streams)?;
    }
    encoder.encode_family(&[("user_id", OTHER_USERS)])?.encode_gauge(&others)
}

fn encode_phases(
    encoder: &mut MetricEncoder<'_>,
    scrape: &Scrape,
    read: fn(&Snapshot) -> [u32; Phase::COUNT],
) -> fmt::Result {
    for (shard, snapshot) in scrape.shards.iter().enumerate() {
        let connections = read(snapshot);
        for phase in Phase::ALL {
            let labels = [("shard", shard.to_string()), ("state", phase.label().to_owned())];
            encoder.encode_family(&labels)?.encode_gauge(&connections[phase.index()])?;
        }
    }
    Ok(())
}

fn encode_latencies(
    encoder: &mut MetricEncoder<'_>,
    scrape: &Scrape,
    read: fn(&Counters) -> &Latencies,
) -> fmt::Result {
    let mut latencies = Latencies::default();
    scrape.shards.iter().for_each(|shard| latencies.merge(read(&shard.counters)));
    let mut below = 0;
    let mut bucket = |bound: f64, up_to: u64| (bound, up_to - std::mem::replace(&mut below, up_to));
    let mut buckets: Vec<(f64, u64)> = FANOUT_BOUNDS_MICROS
        .into_iter()
        .map(|micros| bucket(micros as f64 / 1e6, latencies.count_up_to(Duration::from_micros(micros))))
        .collect();
    buckets.push(bucket(f64::INFINITY, latencies.count()));
    let sum = latencies.sum().as_secs_f64();
    encoder.encode_histogram::<NoLabelSet>(sum, latencies.count(), &buckets, None)
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

/// Also reasons that have not occurred: an alert on the first one needs the 0 before it.
fn encode_by_reason(
    encoder: &mut MetricEncoder<'_>,
    scrape: &Scrape,
    reasons: &[CloseReason],
    read: fn(&Counters, CloseReason) -> u64,
) -> fmt::Result {
    reasons.iter().try_for_each(|&reason| {
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
