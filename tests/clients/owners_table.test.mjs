// The owner's table, small: users with three to five tabs each, reloads, and lost networks, in the three ways to listen.
//
// `scripts/owners-table` is the same with 200 users, and draws what the hub held.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { judge } from './owners_table/account.mjs';
import { liveDay } from './owners_table/day.mjs';
import { scheduleOf } from './owners_table/schedule.mjs';
import { WAYS } from './owners_table/ways.mjs';

const USERS = 8;
const SEED = Number(process.env.OWNERS_TABLE_SEED ?? 1);
const PACE = { lengthMs: 5000, eventMs: 50, sampleMs: 50, retry: '100ms' };

const schedule = scheduleOf({ users: USERS, seed: SEED, lengthMs: PACE.lengthMs });
const [unlimited, limited, client] = WAYS;

const live = (t, way) => {
  t.diagnostic(`seed ${SEED}`);
  return liveDay(t, way, schedule, PACE);
};

test('the same seed gives the same schedule, and another one another', () => {
  const of = (seed) => JSON.stringify(scheduleOf({ users: 3, seed, lengthMs: 1000 }));
  assert.equal(of(7), of(7));
  assert.notEqual(of(7), of(8));
});

test('an account knows what was missed, doubled, and not due', () => {
  const published = [10, 20, 30, 40, 50];
  const life = { openedAt: 15, endedAt: 60, end: 'survived' };
  const cases = [
    [{ ...life, runs: [[1, 4]] }, { due: 4, missed: 0, again: 0, isBlind: false }],
    [{ ...life, runs: [[0, 4]] }, { due: 4, missed: 0, again: 0, isBlind: false }],
    [{ ...life, runs: [[1, 2], [4, 4]] }, { due: 4, missed: 1, again: 0, isBlind: false }],
    [{ ...life, runs: [[1, 3], [3, 4]] }, { due: 4, missed: 0, again: 1, isBlind: false }],
    [{ ...life, runs: [[1, 1]] }, { due: 4, missed: 3, again: 0, isBlind: true }],
    [{ ...life, runs: [], openedAt: null }, { due: 0, missed: 0, again: 0, isBlind: true }],
    // Ended, with 15 ms of grace: what was published after 45 is not due, but what was seen of it counts.
    [{ ...life, end: 'close', runs: [[1, 3]] }, { due: 3, missed: 0, again: 0, isBlind: false }],
    [{ ...life, end: 'close', runs: [[1, 2], [4, 4]] }, { due: 4, missed: 1, again: 0, isBlind: false }],
    [{ ...life, end: 'reload', runs: [[1, 1]] }, { due: 3, missed: 2, again: 0, isBlind: false }],
  ];
  for (const [given, expected] of cases) assert.deepEqual(judge(given, published, 15), expected);
});

test('EventSource without a limit: a connection for each tab, and those that networks left behind', async (t) => {
  const { peak, samples } = await live(t, unlimited);
  assert.ok(peak >= 3 * USERS, `${peak} connections of ${USERS} users`);
  assert.ok(samples.some(([, connections, tabs]) => connections > tabs), 'lost connections stand beside those that are used');
});

test('EventSource with a limit: a connection for each user, and tabs that see nothing any more', async (t) => {
  const { peak, samples, blind, missed, evicted } = await live(t, limited);
  for (const [at, connections] of samples) assert.ok(connections <= USERS, `${connections} connections after ${at} ms`);
  assert.ok(peak > USERS / 2, `${peak} connections of ${USERS} users`);
  assert.ok(evicted > 0 && blind > 0 && missed > 0, 'this is what the limit costs without the client');
});

test('the client with a limit: a connection for each user, and every tab sees every event once', async (t) => {
  const { peak, samples, isSettled, ...account } = await live(t, client);
  for (const [at, connections] of samples) assert.ok(connections <= USERS, `${connections} connections after ${at} ms`);
  assert.equal(peak, USERS);
  assert.ok(isSettled);
  const { missed, again, gaps, evicted, blind } = account;
  assert.deepEqual({ missed, again, gaps, evicted, blind }, { missed: 0, again: 0, gaps: 0, evicted: 0, blind: 0 });
  assert.ok(account.due > 1000, `${account.due} events were due`);
});
