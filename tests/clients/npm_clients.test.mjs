// Clients from npm, in Node.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { clientCases } from './lib/cases.mjs';
import { startHub, token } from './lib/hub.mjs';
import * as eventsource from './lib/npm_eventsource.mjs';
import * as fetchEventSource from './lib/npm_fetch_event_source.mjs';

for (const client of [eventsource, fetchEventSource]) {
  const setUp = async (t, settings) => {
    const hub = await startHub(t, settings);
    return { hub, open: (url, options) => client.open(t, url, options) };
  };
  clientCases(client.name, setUp, client.deviations);
}

test('npm eventsource: an evicted tab that comes back all the same is closed by 204', async (t) => {
  const hub = await startHub(t);
  const stream = (tab) => hub.events({ access_token: token({ user: 'alice' }), client_id: tab });
  const old = eventsource.open(t, stream('tab-1'));
  await old.untilOpen();
  const newer = eventsource.open(t, stream('tab-2'));
  await old.first(1);
  const again = eventsource.open(t, stream('tab-1'));
  await again.untilClosed();
  assert.deepEqual([again.opens, newer.errors], [0, 0]);
});
