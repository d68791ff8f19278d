// Five minutes of samples, as points to draw: totals have become rates.
//
// Invariant: points are in order of time, at most POINTS_MAX of them, and no rate is negative: when the hub has started
// again its totals begin at zero, and the point in between has no rates.

import type { Counts, Sample } from './api';

export const WINDOW_SECONDS = 300;

/** One each second, and as many again for a hub whose clock is corrected. */
export const POINTS_MAX = 2 * WINDOW_SECONDS;

/** A longer silence than this is drawn as a gap and not as a line. */
const SILENCE_SECONDS_MAX = 3.5;

export interface ShardRates {
  deliveries: number | null;
  bytes: number | null;
  turns: number | null;
}

/** What a second looked like; null is what nobody knows. Rates are per second. */
export interface Point {
  /** Seconds since 1970, by the hub's clock. */
  at: number;
  streams: number | null;
  connections: number | null;
  deliveries: number | null;
  bytes: number | null;
  published: number | null;
  p50: number | null;
  p90: number | null;
  p99: number | null;
  max: number | null;
  /** How many more than the point before, by reason. */
  closes: Counts;
  refusals: Counts;
  would: Counts;
}

export class Timeline {
  points: Point[] = [];
  last: Sample | null = null;
  /** Rates of each shard, by its number. */
  shards = new Map<number, ShardRates>();

  add(sample: Sample): void {
    const at = Date.parse(sample.at) / 1000;
    if (!Number.isFinite(at)) return;
    const before = this.last !== null && isSameRun(this.last, sample) ? this.last : null;
    const isRestart = this.last !== null && before === null;
    // Time that a corrected clock runs through twice is drawn once.
    while ((this.points.at(-1)?.at ?? -Infinity) >= at) this.points.pop();
    const lastAt = this.points.at(-1)?.at;
    if (lastAt !== undefined && at - lastAt > SILENCE_SECONDS_MAX) this.points.push(unknownAt(lastAt + 1));
    this.points.push(pointOf(sample, at, before, isRestart));
    this.shards = shardRates(sample, before);
    this.last = sample;
    this.#forget(at - WINDOW_SECONDS);
  }

  /** The sums of what came within the window, by reason. */
  recent(kind: 'closes' | 'refusals' | 'would'): Counts {
    const sums: Counts = {};
    for (const point of this.points) {
      for (const [reason, count] of Object.entries(point[kind])) sums[reason] = (sums[reason] ?? 0) + count;
    }
    return sums;
  }

  #forget(before: number): void {
    const tooMany = this.points.length - POINTS_MAX;
    const firstKept = this.points.findIndex((point) => point.at >= before);
    this.points.splice(0, Math.max(tooMany, firstKept, 0));
  }
}

function isSameRun(before: Sample, after: Sample): boolean {
  return after.uptime_seconds > before.uptime_seconds;
}

function unknownAt(at: number): Point {
  const none = { closes: {}, refusals: {}, would: {} };
  const rates = { streams: null, connections: null, deliveries: null, bytes: null, published: null };
  return { at, ...rates, p50: null, p90: null, p99: null, max: null, ...none };
}

function pointOf(sample: Sample, at: number, before: Sample | null, isRestart: boolean): Point {
  const rate = (name: string) => rateOf(before, sample, (of) => of.totals?.[name]);
  const more = (counts: (of: Sample) => Counts | undefined) =>
    // The first sample says nothing about when its totals came; those of a new run came after the last of the old.
    before === null && !isRestart ? {} : increases(before === null ? {} : counts(before), counts(sample));
  return {
    at,
    streams: sample.streams,
    connections: sample.connections,
    deliveries: rate('deliveries'),
    bytes: rate('bytes'),
    published: rate('published'),
    p50: sample.latency?.p50_ms ?? null,
    p90: sample.latency?.p90_ms ?? null,
    p99: sample.latency?.p99_ms ?? null,
    max: sample.latency?.max_ms ?? null,
    closes: more((of) => of.closes),
    refusals: more((of) => of.refusals),
    would: more((of) => of.would),
  };
}

/** By the hub's uptime, which no clock correction touches. */
function rateOf(before: Sample | null, after: Sample, total: (of: Sample) => number | undefined): number | null {
  const from = before === null ? undefined : total(before);
  const to = total(after);
  if (before === null || from === undefined || to === undefined || to < from) return null;
  return (to - from) / (after.uptime_seconds - before.uptime_seconds);
}

function increases(before: Counts = {}, after: Counts = {}): Counts {
  const more = Object.entries(after).map(([reason, total]) => [reason, total - (before[reason] ?? 0)] as const);
  return Object.fromEntries(more.filter(([, count]) => count > 0));
}

function shardRates(sample: Sample, before: Sample | null): Map<number, ShardRates> {
  const rates = new Map<number, ShardRates>();
  for (const { shard } of sample.shards ?? []) {
    const rate = (name: 'deliveries' | 'bytes' | 'turns') =>
      rateOf(before, sample, (of) => of.shards?.find((other) => other.shard === shard)?.[name]);
    rates.set(shard, { deliveries: rate('deliveries'), bytes: rate('bytes'), turns: rate('turns') });
  }
  return rates;
}
