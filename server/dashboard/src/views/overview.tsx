// The hub at a glance: what it carries, how fast, whom it turned away, who is slow.

import type { ComponentChildren } from 'preact';

import type { Counts, LogSample, Sample, TopicRow, UserRow } from '../api';
import { Chart } from '../chart';
import type { Line } from '../chart';
import { bytes, count, duration, exact, milliseconds, moment, rate, words } from '../format';
import type { Page } from '../page';
import { Bar, Card, Empty, Facts, Name, UserName } from '../parts';
import { linkTo } from '../route';
import type { Timeline } from '../timeline';

/** From here on the limit of streams is close enough to be told by colour. */
const SHARE_HIGH = 0.9;

/** Reasons for an end that say that the hub, or a limit, wanted it; the rest are clients that left. */
const ENDS_BY_THE_HUB = [
  'evicted', 'replaced', 'slow_consumer', 'log_unreadable', 'dead_peer', 'token_expired', 'max_age', 'idle_timeout',
  'request_timeout', 'bad_request', 'drain', 'disconnected',
];

const STREAMS: Line[] = [{ label: 'streams', colour: '--series', of: (p) => p.streams, isFilled: true }];
const DELIVERIES: Line[] = [{ label: 'deliveries', colour: '--series', of: (p) => p.deliveries, isFilled: true }];
const BYTES: Line[] = [{ label: 'bytes', colour: '--series', of: (p) => p.bytes, isFilled: true }];
const LATENCY: Line[] = [
  { label: 'p50', colour: '--quantile-50', of: (p) => p.p50 },
  { label: 'p90', colour: '--quantile-90', of: (p) => p.p90 },
  { label: 'p99', colour: '--quantile-99', of: (p) => p.p99 },
  { label: 'max', colour: '--quantile-max', of: (p) => p.max, isThin: true },
];

const perSecond = (value: number | null) => rate(value);
const bytesPerSecond = (value: number | null) => bytes(value === null ? null : Math.round(value));

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
        <Chart title="Deliveries per second" points={points} lines={DELIVERIES} shown={perSecond} topMin={10} />
        <Chart title="Bytes per second" points={points} lines={BYTES} shown={bytesPerSecond} topMin={1024} isBinary />
        <Chart title="Latency" note="publish to last send" points={points} lines={LATENCY} shown={milliseconds} isLogarithmic />
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
      <Tile name="Streams" value={exact(sample.streams)} note={<>of {exact(sample.streams_max)} <Bar share={share} isHigh={share >= SHARE_HIGH} /></>} />
      <Tile name="Users" value={exact(sample.users)} note={`${exact(sample.connections)} connections`} />
      <Tile name="Published / s" value={rate(now?.published)} note={`${count(sample.totals?.published)} since start`} />
      <Tile name="Deliveries / s" value={rate(now?.deliveries)} note={`${count(sample.totals?.deliveries)} since start`} />
      <Tile name="Bytes / s" value={bytesPerSecond(now?.bytes ?? null)} note={`${bytes(sample.totals?.bytes)} since start`} />
      <Tile name="Latency p99" value={milliseconds(sample.latency?.p99_ms)} note={`p50 ${milliseconds(sample.latency?.p50_ms)}`} />
      <Tile name="Slow readers" value={exact(sample.slow?.behind)} isHigh={(sample.slow?.behind ?? 0) > 0} note={`lag ${count(sample.slow?.most_lag_events)} events`} />
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

function Shards({ sample, timeline }: { sample: Sample; timeline: Timeline }) {
  const shards = sample.shards ?? [];
  const most = (of: (number | null | undefined)[]) => Math.max(1, ...of.map((value) => value ?? 0));
  const mostStreams = most(shards.map((shard) => shard.streams));
  const mostDeliveries = most(shards.map((shard) => timeline.shards.get(shard.shard)?.deliveries));
  return (
    <Card title="Shards" aside={<span class="quiet">{shards.length === 1 ? 'one' : `${shards.length} side by side`}</span>}>
      <div class="scroll" tabIndex={0} role="group" aria-label="Shards, a table">
        <table class="numbers shards">
          <thead>
            <tr>
              <th scope="col">Shard</th>
              <th scope="col">Streams</th>
              <th aria-hidden="true" />
              <th scope="col">Deliveries / s</th>
              <th aria-hidden="true" />
              <th scope="col">Bytes / s</th>
              <th scope="col">Turns / s</th>
              <th scope="col">Connections</th>
              <th scope="col">Behind</th>
              <th scope="col">History</th>
            </tr>
          </thead>
          <tbody>
            {shards.map((shard) => {
              const rates = timeline.shards.get(shard.shard);
              return (
                <tr key={shard.shard}>
                  <th scope="row">{shard.shard}</th>
                  <td>{exact(shard.streams)}</td>
                  <td class="bar-cell"><Bar share={shard.streams / mostStreams} /></td>
                  <td>{rate(rates?.deliveries)}</td>
                  <td class="bar-cell"><Bar share={(rates?.deliveries ?? 0) / mostDeliveries} /></td>
                  <td>{bytesPerSecond(rates?.bytes ?? null)}</td>
                  <td>{rate(rates?.turns)}</td>
                  <td>{exact(shard.connections)}</td>
                  <td class={shard.behind > 0 ? 'high' : ''}>{exact(shard.behind)}</td>
                  <td>{exact(shard.history_events)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Card>
  );
}

function Reasons({ sample, timeline }: { sample: Sample; timeline: Timeline }) {
  const closes = Object.entries(sample.closes ?? {});
  const isOurs = ([reason]: [string, number]) => ENDS_BY_THE_HUB.includes(reason);
  const groups: [title: string, totals: [string, number][], recent: Counts][] = [
    ['Refused', Object.entries(sample.refusals ?? {}), timeline.recent('refusals')],
    ['Ended by the hub', closes.filter(isOurs), timeline.recent('closes')],
    ['Other ends', closes.filter((entry) => !isOurs(entry)), timeline.recent('closes')],
  ];
  if (sample.dry_run) groups.unshift(['Would have been, without the dry run', Object.entries(sample.would ?? {}), timeline.recent('would')]);
  const shown = groups.map(([title, totals, recent]) => [title, totals.filter(([, total]) => total > 0), recent] as const).filter(([, totals]) => totals.length > 0);
  return (
    <Card title="Refusals and evictions" class="reasons">
      {shown.length === 0 ? <Empty>Nobody was refused, and no connection has ended.</Empty> : (
        <table class="numbers">
          <thead>
            <tr><th scope="col">Reason</th><th scope="col">Last 5 min</th><th scope="col">Since start</th></tr>
          </thead>
          {shown.map(([title, totals, recent]) => (
            <tbody key={title}>
              <tr class="group"><th colSpan={3} scope="rowgroup">{title}</th></tr>
              {totals.sort((a, b) => b[1] - a[1]).map(([reason, total]) => (
                <tr key={reason}>
                  <th scope="row">{words(reason)}</th>
                  <td class={recent[reason] === undefined ? 'quiet' : ''}>{recent[reason] === undefined ? '0' : `+${exact(recent[reason])}`}</td>
                  <td>{exact(total)}</td>
                </tr>
              ))}
            </tbody>
          ))}
        </table>
      )}
    </Card>
  );
}

function surveyed(sample: Sample): ComponentChildren {
  return typeof sample.survey_age_seconds === 'number' ? <span class="quiet">{duration(sample.survey_age_seconds)} ago</span> : undefined;
}

function TopUsers({ sample }: { sample: Sample }) {
  const rows: UserRow[] = sample.top_users ?? [];
  const most = Math.max(1, ...rows.map((row) => row.connections));
  return (
    <Card title="Top users" aside={surveyed(sample)}>
      {rows.length === 0 ? <Empty>Nobody is connected.</Empty> : (
        <ol class="top">
          {rows.map((row) => (
            <li key={`${row.anonymous} ${row.user}`}>
              <a href={row.anonymous || row.user === null ? linkTo('connections', { anonymous: 'true' }) : linkTo('connections', { by: 'user', value: row.user })}>
                <UserName user={row.user} anonymous={row.anonymous} />
              </a>
              <Bar share={row.connections / most} />
              <b>{count(row.connections)}</b>
            </li>
          ))}
        </ol>
      )}
    </Card>
  );
}

function TopTopics({ sample }: { sample: Sample }) {
  const rows: TopicRow[] = sample.top_topics ?? [];
  const most = Math.max(1, ...rows.map((row) => row.subscribers));
  return (
    <Card title="Top topics" aside={surveyed(sample)}>
      {rows.length === 0 ? <Empty>Nobody has subscribed to a topic.</Empty> : (
        <ol class="top">
          {rows.map((row) => (
            <li key={row.selector}>
              <a href={linkTo('connections', { by: 'topic', value: row.selector })}><Name of={row.selector} /></a>
              <Bar share={row.subscribers / most} />
              <b>{count(row.subscribers)}</b>
            </li>
          ))}
        </ol>
      )}
    </Card>
  );
}

function SlowReaders({ sample }: { sample: Sample }) {
  const { slow, totals } = sample;
  return (
    <Card title="Slow readers" aside={<a href={linkTo('connections', { behind: 'true', sort: 'lag' })}>Show them</a>}>
      <Facts
        of={[
          ['Behind', exact(slow?.behind)],
          ['Waiting for the log', exact(slow?.waiting_for_log)],
          ['Furthest behind', `${exact(slow?.most_lag_events)} events`],
          ['Short sends', exact(totals?.short_sends)],
          ['Resumed', exact(totals?.resumes)],
          ['Gaps told', exact(totals?.gaps)],
        ]}
      />
    </Card>
  );
}

function Log({ log }: { log: LogSample | null }) {
  const facts: [string, ComponentChildren][] = log === null
    ? []
    : [
        ['Kind', log.kind],
        ['State', log.state === undefined ? undefined : words(log.state)],
        ['Size', log.bytes === undefined ? undefined : bytes(log.bytes)],
        ['Segments', log.segments === undefined ? undefined : exact(log.segments)],
        ['Append p99', log.append_p99_ms === undefined ? undefined : milliseconds(log.append_p99_ms)],
        ['Last sync', log.last_sync === undefined ? undefined : lastSync(log.last_sync)],
      ];
  return (
    <Card title="Log">
      {log === null ? <Empty>Events are kept in memory: a restart forgets them.</Empty> : <Facts of={facts.filter(([, value]) => value !== undefined)} />}
    </Card>
  );
}

function lastSync(at: unknown): string {
  return typeof at === 'number' ? `${duration(at)} ago` : moment(typeof at === 'string' ? at : null);
}

function Inside({ sample }: { sample: Sample }) {
  const { totals } = sample;
  return (
    <Card title="Inside">
      <Facts
        of={[
          ['History', `${exact(sample.history?.events)} events`],
          ['History size', bytes(sample.history?.bytes)],
          ['Sequencer queue', exact(sample.sequencer_queue)],
          ['Accepted', exact(totals?.accepted)],
          ['Streams opened', exact(totals?.streams_opened)],
          ['Heartbeats', exact(totals?.heartbeats)],
          ['Dead peers', exact(totals?.dead_peers)],
        ]}
      />
    </Card>
  );
}
