// The lists below the charts: who was turned away and why, who takes most, who is slow, what the log does.

import type { ComponentChildren } from 'preact';

import type { Counts, LogSample, Sample, TopicRow, UserRow } from '../api';
import { UNKNOWN, bytes, count, duration, exact, milliseconds, moment, words } from '../format';
import { Bar, Card, Empty, Facts, Name, UserName } from '../parts';
import { linkTo } from '../route';
import type { Timeline } from '../timeline';

/** Reasons for an end that say that the hub, or a limit, wanted it; the rest are clients that left. */
const ENDS_BY_THE_HUB = [
  'evicted',
  'replaced',
  'slow_consumer',
  'log_unreadable',
  'dead_peer',
  'token_expired',
  'max_age',
  'idle_timeout',
  'request_timeout',
  'bad_request',
  'drain',
  'disconnected',
];

export function Reasons({ sample, timeline }: { sample: Sample; timeline: Timeline }) {
  // Refused connections are closed as well, and those that moved to their home shard go on.
  const closes = Object.entries(sample.closes ?? {}).filter(
    ([reason]) => reason !== 'moved' && !(reason in (sample.refusals ?? {})),
  );
  const isOurs = ([reason]: [string, number]) => ENDS_BY_THE_HUB.includes(reason);
  const groups: [title: string, totals: [string, number][], recent: Counts][] = [
    ['Refused', Object.entries(sample.refusals ?? {}), timeline.recent('refusals')],
    ['Ended by the hub', closes.filter(isOurs), timeline.recent('closes')],
    ['Other ends', closes.filter((entry) => !isOurs(entry)), timeline.recent('closes')],
  ];
  if (sample.dry_run)
    groups.unshift([
      'Would have been, without the dry run',
      Object.entries(sample.would ?? {}),
      timeline.recent('would'),
    ]);
  const shown = groups
    .map(([title, totals, recent]) => [title, totals.filter(([, total]) => total > 0), recent] as const)
    .filter(([, totals]) => totals.length > 0);
  return (
    <Card title="Refusals and evictions" class="reasons">
      {shown.length === 0 ? (
        <Empty>Nobody was refused, and no connection has ended.</Empty>
      ) : (
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">Reason</th>
              <th scope="col">Last 5 min</th>
              <th scope="col">Since start</th>
            </tr>
          </thead>
          {shown.map(([title, totals, recent]) => (
            <tbody key={title}>
              <tr class="group">
                <th colSpan={3} scope="rowgroup">
                  {title}
                </th>
              </tr>
              {totals
                .sort((a, b) => b[1] - a[1])
                .map(([reason, total]) => (
                  <tr key={reason}>
                    <th scope="row">{words(reason)}</th>
                    <td class={recent[reason] === undefined ? 'quiet' : ''}>
                      {recent[reason] === undefined ? '0' : `+${exact(recent[reason])}`}
                    </td>
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
  return typeof sample.survey_age_seconds === 'number' ? (
    <span class="quiet">{duration(sample.survey_age_seconds)} ago</span>
  ) : undefined;
}

export function TopUsers({ sample }: { sample: Sample }) {
  const rows: UserRow[] = sample.top_users ?? [];
  const most = Math.max(1, ...rows.map((row) => row.connections));
  return (
    <Card title="Top users" aside={surveyed(sample)}>
      {rows.length === 0 ? (
        <Empty>Nobody is connected.</Empty>
      ) : (
        <ol class="top">
          {rows.map((row) => (
            <li key={`${row.anonymous} ${row.user}`}>
              <a href={linkToUser(row)}>
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

function linkToUser({ user, anonymous }: UserRow): string {
  return linkTo('connections', {
    by: user === null ? '' : 'user',
    value: user ?? '',
    anonymous: anonymous ? 'true' : '',
  });
}

export function TopTopics({ sample }: { sample: Sample }) {
  const rows: TopicRow[] = sample.top_topics ?? [];
  const most = Math.max(1, ...rows.map((row) => row.subscribers));
  return (
    <Card title="Top topics" aside={surveyed(sample)}>
      {rows.length === 0 ? (
        <Empty>Nobody has subscribed to a topic.</Empty>
      ) : (
        <ol class="top">
          {rows.map((row) => (
            <li key={row.selector}>
              <a href={linkTo('connections', { by: 'topic', value: row.selector })}>
                <Name of={row.selector} />
              </a>
              <Bar share={row.subscribers / most} />
              <b>{count(row.subscribers)}</b>
            </li>
          ))}
        </ol>
      )}
    </Card>
  );
}

export function SlowReaders({ sample }: { sample: Sample }) {
  const { slow, totals } = sample;
  return (
    <Card title="Slow readers" aside={<a href={linkTo('connections', { behind: 'true', sort: 'lag' })}>Show them</a>}>
      <Facts
        of={[
          ['Behind', exact(slow?.behind)],
          ['Waiting for the log', exact(slow?.waiting_for_log)],
          [
            'Furthest behind',
            typeof slow?.most_lag_events === 'number' ? `${exact(slow.most_lag_events)} events` : UNKNOWN,
          ],
          ['Short sends', exact(totals?.short_sends)],
          ['Resumed', exact(totals?.resumes)],
          ['Gaps told', exact(totals?.gaps)],
        ]}
      />
    </Card>
  );
}

export function Log({ log }: { log: LogSample | null }) {
  const facts: [string, ComponentChildren][] =
    log === null
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
      {log === null ? (
        <Empty>Events are kept in memory: a restart forgets them.</Empty>
      ) : (
        <Facts of={facts.filter(([, value]) => value !== undefined)} />
      )}
    </Card>
  );
}

function lastSync(at: unknown): string {
  return typeof at === 'number' ? `${duration(at)} ago` : moment(typeof at === 'string' ? at : null);
}

export function Inside({ sample }: { sample: Sample }) {
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
