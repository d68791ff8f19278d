// The browser's own EventSource.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openInTab, openTab, servePage, startBrowser } from './lib/browser.mjs';
import { clientCases } from './lib/cases.mjs';
import { startHub, token } from './lib/hub.mjs';
import { eventually } from './lib/wait.mjs';

let browser;
let closeBrowser;

// One browser for all tests, as users have; each test has tabs of its own.
before(async () => {
  browser = await startBrowser({ after: (close) => (closeBrowser = close) });
});
after(() => closeBrowser?.());

/** A hub, and a tab on a page of another origin that the hub lists. */
async function setUp(t, settings = {}) {
  const port = await servePage(t);
  const origin = `http://127.0.0.1:${port}`;
  const hub = await startHub(t, { 'cors.origins': [origin], ...settings });
  const page = await openTab(browser, origin);
  t.after(() => page.close());
  return { hub, page, port, open: (url, options) => openInTab(page, url, options) };
}

clientCases('Chromium', setUp);

test('Chromium: an unlisted origin cannot read', async (t) => {
  const { hub, port } = await setUp(t);
  // The same server by another name is another origin.
  const page = await openTab(browser, `http://localhost:${port}`);
  t.after(() => page.close());
  const log = await openInTab(page, hub.events({ topic: 'data' }));
  await log.untilClosed();
  assert.equal(log.opens, 0);
});

test('Chromium: a cookie signs in across origins, and resumes', async (t) => {
  const { hub, page, port } = await setUp(t, { 'auth.anonymous': false, 'stream.max_age': '1s' });
  await page.context().addCookies([
    { name: 'corecast_token', value: token({ user: 'alice' }), url: `http://127.0.0.1:${port}`, httpOnly: true },
  ]);
  const refused = await openInTab(page, hub.events());
  await refused.untilClosed();
  const log = await openInTab(page, hub.events(), { withCredentials: true });
  await log.untilOpen();
  await hub.publish({ users: ['alice'], data: 'one' });
  await log.first(1);
  await eventually('a second connection', () => log.opens >= 2);
  await hub.publish({ users: ['alice'], data: 'two' });
  assert.deepEqual((await log.first(2)).map((event) => event.data), ['one', 'two']);
});

test('Chromium: reloads and closed tabs leave no stream behind', async (t) => {
  const { hub, page, open } = await setUp(t);
  for (let reload = 0; reload < 10; reload += 1) {
    const log = await open(hub.events({ topic: 'data' }));
    await log.untilOpen();
    await page.reload();
  }
  await eventually('no stream is left', async () => (await hub.metric('sse_active_connections')) === 0);
  const log = await open(hub.events({ topic: 'data' }));
  await log.untilOpen();
  await page.close();
  await eventually('no stream is left', async () => (await hub.metric('sse_active_connections')) === 0);
});
