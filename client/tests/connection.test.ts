// @vitest-environment jsdom
// @vitest-environment-options { "url": "http://hub.test/" }

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { connect, type ConnectOptions } from '../src/connect.ts';
import type { Connection } from '../src/connection.ts';
import { Random } from './random.ts';
import { FakeHub } from './world.ts';

let hub: FakeHub;
const connections: Connection[] = [];

beforeEach(() => {
  hub = new FakeHub(new Random(7));
  vi.stubGlobal('fetch', hub.fetch);
});

afterEach(() => {
  for (const connection of connections.splice(0)) connection.close();
  vi.unstubAllGlobals();
});

/** A page that shares with nobody, and has its session in itself. */
async function connectAlone(options: ConnectOptions = {}): Promise<Connection> {
  const connection = connect({ modes: ['solo'], ...options });
  connections.push(connection);
  await vi.waitUntil(() => connection.state === 'open');
  return connection;
}

test('connections to different addresses, or of different users, have ids of their own, and keep them', async () => {
  const wishes = [{ url: '/events?topic=a' }, { url: '/events?topic=b' }, { url: '/events?topic=b', user: 'alice' }];
  const ids = async () => {
    hub.requests = [];
    for (const wish of wishes) await connectAlone(wish);
    const streams = hub.streams.size;
    for (const connection of connections.splice(0)) connection.close();
    return { streams, ids: hub.requests.map(({ clientId }) => clientId) };
  };
  const before = await ids();
  expect([before.streams, new Set(before.ids).size]).toEqual([3, 3]);
  expect(await ids()).toEqual(before);
  expect(JSON.stringify({ ...sessionStorage })).not.toMatch(/alice|events/);
});

test('an evicted page that was put aside comes back when it is shown', async () => {
  const connection = await connectAlone({ returnAfterMs: 0 });
  hub.say('event: corecast.evicted\nretry: 86400000\ndata: {}\n\n');
  await vi.waitUntil(() => connection.state === 'stopped');
  document.dispatchEvent(new Event('freeze'));
  document.dispatchEvent(new Event('visibilitychange'));
  document.dispatchEvent(new Event('resume'));
  await vi.waitUntil(() => connection.state === 'open');
});

test.each(['http://[', 'ftp://hub.test/events', '/events?access_token=secret'])('connect throws for the address %s', (url) => {
  expect(() => connect({ url })).toThrow(TypeError);
  expect(hub.requests).toEqual([]);
});
