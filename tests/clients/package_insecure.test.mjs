// @corecast/client on pages without TLS and on a host that is not this one: no secure context, hence no Web Locks.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './lib/browser.mjs';
import { token } from './lib/hub.mjs';
import { PackageTab } from './lib/package_page.mjs';
import { active, allSee, numbers, openTabs, setUpWorld } from './lib/package_world.mjs';
import { eventually, letPass } from './lib/wait.mjs';

const HOST = 'hub.test';

/** A worker asks its tabs every 20 s here, and gives up one that was silent three times. */
const PINGS_MS = 100_000;

let browser;
let closeBrowser;

before(async () => {
  browser = await startBrowser({ after: (close) => (closeBrowser = close) }, [`--host-resolver-rules=MAP ${HOST} 127.0.0.1`]);
});
after(() => closeBrowser?.());

async function setUp(t, settings) {
  const context = await browser.newContext();
  t.after(() => context.close());
  return setUpWorld(t, context, settings, { host: HOST });
}

async function isInsecure(tab) {
  return tab.page.evaluate(() => !window.isSecureContext && navigator.locks === undefined);
}

test('without TLS: five tabs hold one connection by a worker, and each sees each event once', async (t) => {
  const world = await setUp(t);
  const tabs = await openTabs(5, world);
  assert.ok(await isInsecure(tabs[0]));
  assert.deepEqual(await Promise.all(tabs.map(async (tab) => (await tab.stats()).mode)), Array(5).fill('shared-worker'));
  assert.equal(await active(world.hub), 1);
  const { published, next } = numbers(world.hub);
  for (let n = 0; n < 100; n += 1) await next();
  for (let reload = 0; reload < 10; reload += 1) {
    await tabs[4].reload();
    await next();
  }
  await tabs[3].page.close({ runBeforeUnload: true });
  await tabs[0].until('four tabs', (stats) => stats.tabs === 4);
  await next();
  await allSee(tabs.slice(0, 3), published);
  assert.equal((await tabs[0].stats()).reconnects, 0);
  assert.equal(await active(world.hub), 1);
});

for (const which of ['first', 'last']) {
  test(`without TLS: the ${which} tab crashes, its topics go, and the others miss nothing`, async (t) => {
    const world = await setUp(t);
    const others = [];
    const open = async (topics) => PackageTab.open(world.context, world.origin, { ...world.options, topics });
    let crashing;
    if (which === 'first') crashing = await open(['letters']);
    for (let n = 0; n < 3; n += 1) others.push(await open(['numbers']));
    crashing ??= await open(['letters']);
    for (const tab of others) await tab.until('all tabs', ({ state, tabs }) => state === 'open' && tabs === 4);
    const { published, next } = numbers(world.hub);
    await next();
    const crashed = new Promise((resolve) => crashing.page.once('crash', resolve));
    (await world.context.newCDPSession(crashing.page)).send('Page.crash').catch(() => {});
    await crashed;
    await next();
    await Promise.all(others.map((tab) => tab.until('three are left', ({ state, tabs }) => state === 'open' && tabs === 3, PINGS_MS)));
    const numbersOf = async (tab) => (await tab.data()).filter((data) => data !== 'x');
    await eventually('its topics are gone', async () => {
      const id = await world.hub.publish({ topics: ['letters'], data: 'x' });
      await next();
      await eventually('the next number', async () => (await numbersOf(others[0])).length === published.length);
      return !(await others[0].seen()).some((event) => event.id === id);
    });
    for (const tab of others) {
      await eventually('all numbers', async () => (await numbersOf(tab)).length === published.length);
      assert.deepEqual(await numbersOf(tab), published);
    }
    assert.equal(await active(world.hub), 1);
  });
}

test('without TLS and without workers: each tab has its stream, and those of one user do not take turns', async (t) => {
  const world = await setUp(t);
  const extra = { lacks: ['sharedWorker'], token: token({ user: 'alice' }) };
  const tabs = [];
  for (let n = 0; n < 3; n += 1) {
    tabs.push(await PackageTab.open(world.context, world.origin, world.options, extra));
    await tabs[n].until('it has a stream', ({ state, mode }) => state === 'open' && mode === 'solo');
  }
  const newest = tabs.pop();
  for (const tab of tabs) await tab.until('evicted', ({ state, reason }) => state === 'stopped' && reason === 'evicted');
  await letPass(1000);
  assert.equal(await active(world.hub), 1);
  assert.equal((await newest.stats()).opens, 1);
  const { published, next } = numbers(world.hub);
  await next();
  await allSee([newest], published);
});
