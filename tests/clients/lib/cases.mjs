// What every client must see, whichever it is. Each client's test file runs them with its own way to open a stream.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { token } from './hub.mjs';
import { eventually, letPass } from './wait.mjs';

/** [data as published, data as received]. */
const DATA = [
  ['one', 'one'],
  ['', ''],
  ['one\ntwo', 'one\ntwo'],
  ['one\r\ntwo\rthree', 'one\ntwo\nthree'],
  ['\n\nends with one\n', '\n\nends with one\n'],
  [' leading and trailing ', ' leading and trailing '],
  ['id: 7\nevent: forged\nretry: 1', 'id: 7\nevent: forged\nretry: 1'],
  [': no comment', ': no comment'],
  ['grüße 😀 \u2028 \u0085', 'grüße 😀 \u2028 \u0085'],
  ['😀'.repeat(10_000), '😀'.repeat(10_000)],
  [{ a: [1, null], b: '\u2028' }, '{"a":[1,null],"b":"\\u2028"}'],
];

/** Ten times what a client waits that is not told to stay away. */
const COME_BACK_MS = 2000;

/**
 * Runs all cases. `setUp(t, settings)` gives `{ hub, open }`; `open(url, { types })` gives a StreamLog.
 * `deviations` has what this client, against the standard, makes of some data.
 */
export function clientCases(name, setUp, deviations = new Map()) {
  test(`${name}: data, types and ids arrive as they were given`, async (t) => {
    const { hub, open } = await setUp(t);
    const log = await open(hub.events({ topic: 'data' }), { types: ['order.created'] });
    await log.untilOpen();
    const expected = [];
    for (const [data, received] of DATA) {
      const id = await hub.publish({ topics: ['data'], data });
      expected.push({ type: 'message', data: deviations.get(received) ?? received, id });
    }
    await hub.publish({ topics: ['data'], data: 'x', type: 'order.created', id: 'order-7' });
    expected.push({ type: 'order.created', data: 'x', id: 'order-7' });
    assert.deepEqual(await log.first(expected.length), expected);
  });

  test(`${name}: heartbeats are no events`, async (t) => {
    const { hub, open } = await setUp(t, { 'stream.heartbeat': '100ms' });
    const log = await open(hub.events({ topic: 'data' }));
    await log.untilOpen();
    await hub.publish({ topics: ['data'], data: 'before' });
    await hub.heartbeats(10);
    await hub.publish({ topics: ['data'], data: 'after' });
    const seen = await log.first(2);
    assert.deepEqual(seen.map((event) => event.data), ['before', 'after']);
    assert.equal(log.errors, 0);
  });

  test(`${name}: nothing is lost or doubled when the hub ends the stream`, async (t) => {
    const { hub, open } = await setUp(t, { 'stream.max_age': '1s' });
    const log = await open(hub.events({ topic: 'numbers' }));
    await log.untilOpen();
    // At least one event on the first connection: without an id there is nothing to resume from.
    let published = 0;
    const next = () => hub.publish({ topics: ['numbers'], data: String(published++) });
    await next();
    await log.first(1);
    await eventually('four connections', async () => {
      await next();
      return log.opens >= 4;
    });
    await next();
    const seen = await log.first(published);
    assert.deepEqual(seen.map((event) => event.data), Array.from({ length: published }, (_, n) => String(n)));
    assert.equal(log.isClosed, false);
  });

  test(`${name}: the evicted tab stays away and the newer one is left alone`, async (t) => {
    const { hub, open } = await setUp(t);
    const stream = (tab) => hub.events({ access_token: token({ user: 'alice' }), client_id: tab });
    const old = await open(stream('tab-1'));
    await old.untilOpen();
    const newer = await open(stream('tab-2'));
    await newer.untilOpen();
    const [told] = await old.first(1);
    assert.equal(told.type, 'corecast.evicted');
    assert.equal(typeof JSON.parse(told.data), 'object');
    await letPass(COME_BACK_MS);
    assert.equal(old.opens, 1, 'the evicted tab came back');
    assert.equal(await hub.metric('sse_active_connections'), 1);
    await hub.publish({ users: ['alice'], data: 'own' });
    assert.deepEqual((await newer.first(1)).map((event) => event.data), ['own']);
    assert.deepEqual([newer.opens, newer.errors], [1, 0]);
  });

  test(`${name}: a limit is told in the stream and leaves no dead tab`, async (t) => {
    const { hub, open } = await setUp(t, { 'limits.connections': 1 });
    const first = await open(hub.events({ topic: 'data' }));
    await first.untilOpen();
    const second = await open(hub.events({ topic: 'data' }));
    const [told] = await second.first(1);
    assert.equal(told.type, 'corecast.limit');
    assert.equal(JSON.parse(told.data).reason, 'connections');
    await eventually('the end of the limited stream', () => second.errors > 0);
    assert.equal(second.isClosed, false, 'it will come back');
    assert.equal(first.errors, 0);
  });

  test(`${name}: a bad token is refused for good`, async (t) => {
    const { hub, open } = await setUp(t);
    const log = await open(hub.events({ topic: 'data', access_token: 'bad' }));
    await log.untilClosed();
    assert.equal(log.opens, 0);
  });

  test(`${name}: an expiring token is told before the end`, async (t) => {
    const { hub, open } = await setUp(t);
    const log = await open(hub.events({ access_token: token({ user: 'alice', lifetime: 3 }) }));
    const [told] = await log.first(1);
    assert.equal(told.type, 'corecast.expiring');
    // It comes back with the same token, which is refused: an honest end.
    await log.untilClosed();
  });

  test(`${name}: a hub that is gone and back is found again, and the gap is told`, async (t) => {
    const { hub, open } = await setUp(t);
    const log = await open(hub.events({ topic: 'data' }));
    await log.untilOpen();
    await hub.publish({ topics: ['data'], data: 'before' });
    await log.first(1);
    await hub.restart();
    await eventually('a second connection', () => log.opens === 2);
    const [, gap] = await log.first(2);
    assert.equal(gap.type, 'corecast.gap', 'its memory log is another one now');
    await hub.publish({ topics: ['data'], data: 'after' });
    assert.equal((await log.first(3))[2].data, 'after');
  });
}
