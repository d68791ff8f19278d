// @corecast/client in Debian's Firefox against the real hub: another engine's workers, locks, channels and streams.
//
// What depends on the engine; package_client.test.mjs has the rest. Firefox keeps the tabs of a site in one process, so a
// tab that crashes takes the others along, and there is nothing to test about that.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { openPuppeteerContext, startFirefox } from './lib/puppeteer.mjs';
import { token } from './lib/hub.mjs';
import { PackageTab } from './lib/package_page.mjs';
import { active, allSee, KINDS, numbers, openTabs, setUpWorld } from './lib/package_world.mjs';
import { fiveTabsShare, hangingLeader, reloadsAlone, reloadsBesideOthers } from './lib/package_scenarios.mjs';
import { eventually } from './lib/wait.mjs';

let browser;
let closeBrowser;

before(async () => {
  browser = await startFirefox({ after: (close) => (closeBrowser = close) });
});
after(() => closeBrowser?.());

const setUp = async (t, settings) => setUpWorld(t, await openPuppeteerContext(t, browser), settings);

for (const [kind, lacks] of Object.entries(KINDS)) {
  const open = (count, world, extra = {}) => openTabs(count, world, { lacks, ...extra });

  test(`Firefox, ${kind}: five tabs hold one connection, and each sees each event once`, async (t) => {
    await fiveTabsShare(await setUp(t), open, lacks.length ? 'leader' : 'shared-worker');
  });

  test(`Firefox, ${kind}: fifty reloads of one tab cost the others nothing`, async (t) => {
    await reloadsBesideOthers(await setUp(t), open);
  });

  test(`Firefox, ${kind}: fifty reloads of the only tab leave one connection`, async (t) => {
    await reloadsAlone(await setUp(t), open);
  });

  for (const end of ['closes', 'goes elsewhere', 'is put aside']) {
    test(`Firefox, ${kind}: the tab that was first ${end}, and the others miss nothing`, async (t) => {
      const world = await setUp(t);
      const [first, ...rest] = await open(4, world);
      const { published, next, nextWhile } = numbers(world.hub);
      for (let n = 0; n < 10; n += 1) await next();
      if (end === 'closes') await first.page.close();
      else if (end === 'goes elsewhere') await first.page.goto('about:blank');
      else await first.page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
      await nextWhile(rest[0].until('three tabs are left', (stats) => stats.state === 'open' && stats.tabs === 3));
      await next();
      await allSee(rest, published);
      await eventually('one connection', async () => (await active(world.hub)) === 1);
      if (end !== 'is put aside') return;
      await first.page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
      await first.until('four tabs', (stats) => stats.tabs === 4);
      if (!(await first.types()).includes('corecast.gap')) await allSee([first], published);
    });
  }

  test(`Firefox, ${kind}: every tab in turn closes, and the last has seen everything`, async (t) => {
    const world = await setUp(t);
    const tabs = await open(5, world);
    const { published, next, nextWhile } = numbers(world.hub);
    await next();
    while (tabs.length > 1) {
      await tabs.shift().page.close();
      const left = tabs.length;
      await nextWhile(tabs[0].until(`${left} tabs are left`, (stats) => stats.state === 'open' && stats.tabs === left));
    }
    await allSee(tabs, published);
    assert.equal(await active(world.hub), 1);
  });

  test(`Firefox, ${kind}: the network goes and comes back`, async (t) => {
    const world = await setUp(t);
    const tabs = await open(3, world);
    const { published, next } = numbers(world.hub);
    await next();
    for (let cut = 0; cut < 3; cut += 1) {
      world.cutter.cut();
      await tabs[0].until('the stream is gone', ({ state }) => state !== 'open');
      for (let n = 0; n < 3; n += 1) await next();
      world.cutter.mend();
      for (const tab of tabs) await tab.page.evaluate(() => void dispatchEvent(new Event('online')));
      await tabs[0].untilOpen();
      await next();
    }
    await allSee(tabs, published);
    assert.equal(await active(world.hub), 1);
  });

  test(`Firefox, ${kind}: the hub is killed and started again, and nothing is lost`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'corecast-log-'));
    t.after(() => rm(folder, { recursive: true }));
    const world = await setUp(t, { 'log.kind': 'file', 'log.path': join(folder, 'log') });
    const tabs = await open(3, world);
    const { published, next } = numbers(world.hub);
    for (let restart = 1; restart <= 2; restart += 1) {
      for (let n = 0; n < 10; n += 1) await next();
      await world.hub.restart();
      for (let n = 0; n < 10; n += 1) await next();
      for (const tab of tabs) {
        await tab.until('it is back', ({ state, reconnects }) => state === 'open' && reconnects >= restart);
      }
    }
    await allSee(tabs, published);
    for (const tab of tabs) assert.ok(!(await tab.types()).includes('corecast.gap'));
    assert.equal(await active(world.hub), 1);
  });

  test(`Firefox, ${kind}: a token that expires is renewed without a gap`, async (t) => {
    const world = await setUp(t, { 'auth.anonymous': false });
    const reasons = [];
    const mint = (reason) => {
      reasons.push(reason);
      return token({ user: 'alice', lifetime: reason === 'start' ? 20 : 3600 });
    };
    const tabs = await open(2, world, { token: 'call:mint', functions: { mint } });
    const { published, next, nextWhile } = numbers(world.hub);
    await nextWhile(tabs[0].until('a stream with the new token', ({ opens, state }) => opens === 2 && state === 'open'));
    await next();
    await allSee(tabs, published);
    assert.deepEqual(reasons, ['start', 'expiring']);
    assert.equal(await active(world.hub), 1);
  });

  test(`Firefox, ${kind}: topics follow the tabs`, async (t) => {
    const world = await setUp(t);
    const [tab] = await open(1, world);
    const other = await PackageTab.open(world.context, world.origin, { ...world.options, topics: ['letters'] }, { lacks });
    await other.until('both are there', ({ tabs, opens }) => tabs === 2 && opens === 2);
    await world.hub.publish({ topics: ['letters'], data: 'a' });
    assert.deepEqual(await other.untilSeen(1), ['a']);
    await other.page.close();
    await tab.until('its topic has gone, too', ({ tabs, opens, state }) => tabs === 1 && opens === 3 && state === 'open');
    await world.hub.publish({ topics: ['letters'], data: 'b' });
    await world.hub.publish({ topics: ['numbers'], data: '1' });
    assert.deepEqual(await tab.untilSeen(2), ['a', '1'], 'a tab sees what is for others, as long as they are there');
  });
}

test('Firefox: a leader that hangs is replaced, and nobody misses anything, nor does it when it wakes', (t) =>
  hangingLeader(t, (each) => openPuppeteerContext(each, browser)));

test('Firefox, without SharedWorker and Web Locks: each tab has a stream of its own', async (t) => {
  const { context, origin, options, hub } = await setUp(t);
  const tabs = [];
  for (let n = 0; n < 2; n += 1) tabs.push(await PackageTab.open(context, origin, options, { lacks: ['sharedWorker', 'locks'] }));
  for (const tab of tabs) await tab.until('open', ({ state, mode }) => state === 'open' && mode === 'solo');
  assert.equal(await active(hub), 2);
  const { published, next } = numbers(hub);
  await next();
  await allSee(tabs, published);
});

test('Firefox: a worker script that is missing is done without', async (t) => {
  const { context, origin, options, hub } = await setUpWorld(t, await openPuppeteerContext(t, browser), {}, { without: ['client-worker.js'] });
  const tabs = [];
  for (let n = 0; n < 3; n += 1) tabs.push(await PackageTab.open(context, origin, options));
  for (const tab of tabs) await tab.until('all', ({ state, tabs: there, mode }) => state === 'open' && there === 3 && mode === 'leader');
  assert.equal(await active(hub), 1);
});
