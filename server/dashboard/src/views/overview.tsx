// The hub at a glance: what it carries, how fast, whom it turned away, who is slow.

import type { ComponentChildren } from 'preact';

import type { Sample } from '../api';
import { Chart } from '../chart';
import type { Line } from '../chart';
import { bytes, bytesPerSecond, count, exact, milliseconds, rate } from '../format';
import type { Page } from '../page';
import { Bar, Empty } from '../parts';
import type { Timeline } from '../timeline';
import { Inside, Log, Reasons, SlowReaders, TopTopics, TopUsers } from './cards';
import { Shards } from './shards';

/** From here on the limit of streams is close enough to be told by colour. */
const SHARE_HIGH = 0.9;

const STREAMS: Line[] = [{ label: 'streams', colour: '--series', of: (p) => p.streams, isFilled: true }];
const DELIVERIES: Line[] = [{ label: 'deliveries', colour: '--series', of: (p) => p.deliveries, isFilled: true }];
const BYTES: Line[] = [{ label: 'bytes', colour: '--series', of: (p) => p.bytes, isFilled: true }];
const LATENCY: Line[] = [
  { label: 'p50', colour: '--quantile-50', of: (p) => p.p50 },
  { label: 'p90', colour: '--quantile-90', of: (p) => p.p90 },
  { label: 'p99', colour: '--quantile-99', of: (p) => p.p99 },
  { label: 'max', colour: '--quantile-max', of: (p) => p.max, isThin: true },
];

export function OverviewView({ page }: { page: Page }) {
  const { timeline } = page;
  const sample = timeline.last;
  if (sample === null) return <Empty>Waiting for the hub.</Empty>;
  const { points } = timeline;
  return (
    <>
      <Tiles sample={sample} timeline={timeline} />
      <div class="grid charts">
        <Chart title="Streams" points={points} lines={STREAMS} shown={count} topMin={10} />
        <Chart title="Deliveries per second" points={points} lines={DELIVERIES} shown={rate} topMin={10} />
        <Chart title="Bytes per second" points={points} lines={BYTES} shown={bytesPerSecond} topMin={1024} isBinary />
        <Chart
          title="Latency"
          note="publish to last send"
          points={points}
          lines={LATENCY}
          shown={milliseconds}
          isLogarithmic
        />
      </div>
      <Shards sample={sample} timeline={timeline} />
      <div class="grid cards">
        <div class="column">
          <Reasons sample={sample} timeline={timeline} />
          <Inside sample={sample} />
        </div>
        <div class="column">
          <TopUsers sample={sample} />
          <SlowReaders sample={sample} />
        </div>
        <div class="column">
          <TopTopics sample={sample} />
          <Log log={sample.log} />
        </div>
      </div>
    </>
  );
}

function Tiles({ sample, timeline }: { sample: Sample; timeline: Timeline }) {
  const now = timeline.points.at(-1);
  const share = sample.streams_max > 0 ? sample.streams / sample.streams_max : 0;
  return (
    <dl class="tiles" aria-label="Now">
      <Tile
        name="Streams"
        value={exact(sample.streams)}
        note={
          <>
            of {exact(sample.streams_max)} <Bar share={share} isHigh={share >= SHARE_HIGH} />
          </>
        }
      />
      <Tile name="Users" value={exact(sample.users)} note={`${exact(sample.connections)} connections`} />
      <Tile name="Published / s" value={rate(now?.published)} note={`${count(sample.totals?.published)} since start`} />
      <Tile
        name="Deliveries / s"
        value={rate(now?.deliveries)}
        note={`${count(sample.totals?.deliveries)} since start`}
      />
      <Tile name="Bytes / s" value={bytesPerSecond(now?.bytes)} note={`${bytes(sample.totals?.bytes)} since start`} />
      <Tile
        name="Latency p99"
        value={milliseconds(sample.latency?.p99_ms)}
        note={`p50 ${milliseconds(sample.latency?.p50_ms)}`}
      />
      <Tile
        name="Slow readers"
        value={exact(sample.slow?.behind)}
        isHigh={(sample.slow?.behind ?? 0) > 0}
        note={
          typeof sample.slow?.most_lag_events === 'number'
            ? `at most ${count(sample.slow.most_lag_events)} events`
            : 'fed from history'
        }
      />
      <Tile name="Memory" value={bytes(sample.memory?.resident_bytes)} note="resident" />
    </dl>
  );
}

interface TileProps {
  name: string;
  value: string;
  note: ComponentChildren;
  isHigh?: boolean;
}

function Tile({ name, value, note, isHigh = false }: TileProps) {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd class={isHigh ? 'value high' : 'value'}>{value}</dd>
      <dd class="note">{note}</dd>
    </div>
  );
}
