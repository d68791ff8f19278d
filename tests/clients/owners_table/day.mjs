// One way to listen, for a day: a hub, a browser, all users and their steps, events all the time, and what the hub holds.

import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

import { startBrowser } from '../lib/browser.mjs';
import { startHub, token } from '../lib/hub.mjs';
import { servePackage } from '../lib/package_page.mjs';
import { accountOf } from './account.mjs';
import { gateOf } from './gate.mjs';
import { openLine } from './line.mjs';
import { openerIn } from './opener.mjs';
import { User } from './user.mjs';

/** Chromium opens at most 256 sockets in a context: these have 100 streams at most, and pages to load. */
const USERS_PER_CONTEXT = 20;

/** One process for the pages of a context, though they are of many sites; without, Chromium would start 200. */
const FEW_PROCESSES = [
  '--renderer-process-limit=1',
  '--disable-site-isolation-trials',
  '--disable-features=IsolateOrigins,site-per-process',
];

/** Pages that are being opened or loaded at once. */
const AT_ONCE = 4;

/** How long streams have to come back at the end of the day, after the last event. */
const SETTLE_MS = 20_000;

const SETTLE_LOOK_MS = 100;

/**
 * Lives one day of `way`. `pace` has `lengthMs`, `eventMs` and `sampleMs`, and `retry`, the hub's setting. Gives the samples,
 * `[ms, connections, tabs, standing]`, and the account of what tabs saw.
 */
export async function liveDay(t, way, schedule, pace) {
  const hub = await startHub(t, {
    'limits.per_user': way.perUser,
    'cors.origins': ['*'],
    'stream.retry': pace.retry,
  });
  const page = await readFile(new URL('page.html', import.meta.url), 'utf8');
  const origin = await servePackage(t, { page });
  const browser = await startBrowser(t, FEW_PROCESSES);
  const users = await comeIn(t, { schedule, way, hub, origin, browser });

  const begin = Date.now();
  const day = new AbortController();
  const published = [];
  const samples = [];
  let gaugePeak = 0;
  const look = async () => {
    const { sample: taken, gauge } = await sample(hub, users, Date.now() - begin);
    samples.push(taken);
    gaugePeak = Math.max(gaugePeak, gauge);
  };
  const publish = async () => {
    published.push(Date.now());
    await hub.publish({ topics: ['numbers'], data: String(published.length - 1) });
  };
  const looking = every(pace.sampleMs, day.signal, look);
  const publishing = every(pace.eventMs, day.signal, publish);
  const steps = Promise.all(users.map((user, index) => follow(user, schedule[index], begin)));
  try {
    // Whatever fails first is what is told.
    await Promise.race([Promise.all([steps, until(begin + pace.lengthMs)]), looking, publishing]);
  } finally {
    day.abort();
  }
  const lateMs = Date.now() - begin - pace.lengthMs;
  await Promise.all([looking, publishing]);

  const isSettled = await settle(users, published, publish, look);
  await Promise.all(users.map((user) => user.finish()));
  const evictions = await hub.metric('corecast_evictions_total');
  const account = accountOf(users.flatMap(({ lives }) => lives), published, graceOf(schedule));
  await browser.close();
  const peak = Math.max(...samples.map(([, connections]) => connections));
  const told = { peak, gaugePeak, evictions, published: published.length, ...account };
  return { way: way.name, lateMs, isSettled, ...told, samples };
}

async function comeIn(t, { schedule, way, hub, origin, browser }) {
  const gate = gateOf(AT_ONCE);
  const users = [];
  let openTab;
  for (let index = 0; index < schedule.length; index += 1) {
    if (index % USERS_PER_CONTEXT === 0) openTab = await openerIn(browser);
    const name = `user-${index}`;
    const line = await openLine(t, hub.url);
    users.push(new User({ openTab, line, origin, name, way: way.listens, token: token({ user: name }), gate }));
  }
  return users;
}

async function follow(user, steps, begin) {
  for (const step of steps) {
    await until(begin + step.at);
    await user.take(step);
  }
}

/**
 * What the hub holds, by `corecast_streams`, which its shards tell between two turns. `sse_active_connections` is read within one,
 * too, where a newer stream is counted a moment before the one that it evicts is not; the most it ever said is kept beside.
 */
async function sample(hub, users, at) {
  const [streams, gauge] = await hub.metrics('corecast_streams', 'sse_active_connections');
  const sumOf = (count) => users.reduce((sum, user) => sum + count(user), 0);
  return { sample: [at, streams, sumOf((user) => user.tabs), sumOf((user) => user.standing)], gauge };
}

/**
 * Until all streams that mean to come back have, and have brought one last event, which is published when they are there; the
 * hub is looked at meanwhile. Whether they have.
 */
async function settle(users, published, publish, look) {
  const deadline = Date.now() + SETTLE_MS;
  const untilAll = async (condition) => {
    for (;;) {
      await look();
      if ((await Promise.all(users.map(condition))).every(Boolean)) return true;
      if (Date.now() > deadline) return false;
      await pause(SETTLE_LOOK_MS);
    }
  };
  const areOpen = await untilAll((user) => user.isOpen());
  await publish();
  return (await untilAll((user) => user.hasSeen(published.length - 1))) && areOpen;
}

/** Longer than any stream is away: the longest loss, and as much again and ten seconds for coming back. */
function graceOf(schedule) {
  const losses = schedule.flat().filter(({ kind }) => kind === 'lose');
  return 10_000 + 2 * Math.max(...losses.map(({ forMs }) => forMs));
}

/** Runs it again and again; what is late is not made up for. */
async function every(ms, signal, run) {
  for (let next = Date.now(); !signal.aborted; next = Math.max(next + ms, Date.now())) {
    await until(next);
    await run();
  }
}

function until(time) {
  return pause(Math.max(0, time - Date.now()));
}
