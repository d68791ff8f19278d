// From totals to rates: over restarts, gaps, and clocks that jump.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Sample } from '../src/api';
import { POINTS_MAX, Timeline, WINDOW_SECONDS } from '../src/timeline';

const START = Date.parse('2026-01-01T00:00:00Z');

/** A sample `second` s after the start, of a hub that has run for `uptime` s. */
function sample(second: number, uptime: number, changes: Partial<Sample> = {}): Sample {
  return {
    at: new Date(START + second * 1000).toISOString(),
    uptime_seconds: uptime,
    state: 'running',
    version: '0.1.0',
    dry_run: false,
    streams: 1,
    streams_max: 10,
    connections: 2,
    users: 1,
    totals: { deliveries: uptime * 100, bytes: uptime * 1000, published: uptime },
    closes: {},
    refusals: {},
    would: {},
    latency: null,
    shards: [
      {
        shard: 0,
        streams: 1,
        connections: 2,
        behind: 0,
        deliveries: uptime * 100,
        bytes: 0,
        turns: uptime * 7,
        history_events: 0,
      },
    ],
    slow: { behind: 0, waiting_for_log: 0, most_lag_events: 0 },
    history: { events: 0, bytes: 0 },
    sequencer_queue: 0,
    log: null,
    memory: { resident_bytes: 1 },
    top_users: [],
    top_topics: [],
    survey_age_seconds: 0,
    drain: null,
    ...changes,
  };
}

function timelineOf(...samples: Sample[]): Timeline {
  const timeline = new Timeline();
  samples.forEach((one) => timeline.add(one));
  return timeline;
}

const deliveries = (timeline: Timeline) => timeline.points.map((point) => point.deliveries);

test('totals become rates by the uptime between them', () => {
  const timeline = timelineOf(sample(0, 5), sample(1, 6), sample(2, 6.5, { totals: { deliveries: 700 } }));
  assert.deepEqual(deliveries(timeline), [null, 100, 200]);
  assert.deepEqual(
    timeline.points.map((point) => point.bytes),
    [null, 1000, null],
  );
});

test('a restart makes no negative rate', () => {
  const timeline = timelineOf(sample(0, 500), sample(1, 501), sample(2, 0.5), sample(3, 1.5));
  assert.deepEqual(deliveries(timeline), [null, 100, null, 100]);
  assert.deepEqual(
    [...timelineOf(sample(0, 500), sample(1, 0.5)).shards.values()],
    [{ deliveries: null, bytes: null, turns: null }],
  );
});

test('a total that falls without a restart has no rate', () => {
  const timeline = timelineOf(sample(0, 5), sample(1, 6, { totals: { deliveries: 3, published: 6 } }));
  assert.deepEqual(deliveries(timeline), [null, null]);
  assert.equal(timeline.points[1]?.published, 1);
});

test('reasons add up over the window and over a restart', () => {
  const timeline = timelineOf(
    sample(0, 500, { closes: { evicted: 1000 } }),
    sample(1, 501, { closes: { evicted: 1002, dead_peer: 1 } }),
    sample(2, 0.5, { closes: { evicted: 4 } }),
    sample(3, 1.5, { closes: { evicted: 4 } }),
  );
  assert.deepEqual(timeline.recent('closes'), { evicted: 6, dead_peer: 1 });
});

test('a silence is a gap and not a line', () => {
  const timeline = timelineOf(sample(0, 5), sample(1, 6), sample(30, 35));
  assert.deepEqual(
    timeline.points.map((point) => point.streams),
    [1, 1, null, 1],
  );
  assert.equal(deliveries(timeline).at(-1), 100, 'the rate over the silence is known');
});

test('a clock that is set back draws no time twice', () => {
  const timeline = timelineOf(sample(0, 1), sample(1, 2), sample(2, 3), sample(1, 4), sample(2, 5));
  const times = timeline.points.map((point) => point.at - START / 1000);
  assert.deepEqual(times, [0, 1, 2]);
  assert.deepEqual(deliveries(timeline), [null, 100, 100]);
});

test('only the window is kept', () => {
  const timeline = new Timeline();
  for (let second = 0; second < 3 * WINDOW_SECONDS; second += 1) timeline.add(sample(second, second + 1));
  assert.equal(timeline.points.length, WINDOW_SECONDS + 1);
  for (let step = 0; step < 2 * POINTS_MAX; step += 1) timeline.add(sample(3000 + step / 100, 3000 + step / 100));
  assert.equal(timeline.points.length, POINTS_MAX);
});

test('a moment that cannot be read is left out', () => {
  assert.deepEqual(timelineOf(sample(0, 1, { at: 'yesterday' })).points, []);
});

test('shards have rates of their own', () => {
  const timeline = timelineOf(sample(0, 5), sample(2, 7));
  assert.deepEqual(timeline.shards.get(0), { deliveries: 100, bytes: 0, turns: 7 });
});
