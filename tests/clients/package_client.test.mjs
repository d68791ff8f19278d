// @corecast/client in Chromium against the real hub: one stream for all tabs, whatever happens to them.
//
// A browser is a context of Chromium: its tabs share storage and workers, and two contexts share nothing.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startBrowser } from './lib/browser.mjs';
import { startDemo, startHub, token } from './lib/hub.mjs';
import { built, LACKS, PackageTab, servePackage } from './lib/package_page.mjs';
import { active, allSee, KINDS, numbers, openTabs, setUpWorld } from './lib/package_world.mjs';
import { fiveTabsShare, hangingLeader, reloadsAlone, reloadsBesideOthers } from './lib/package_scenarios.mjs';
import { eventually, letPass } from './lib/wait.mjs';

let browser;
let closeBrowser;

before(async () => {
  browser = await startBrowser({ after: (close) => (closeBrowser = close) });
});
after(() => closeBrowser?.());

async function openContext(t) {
  const context = await browser.newContext();
  t.after(() => context.close());
  return context;
}

/** A hub, a network that can be cut, an origin with pages, and a browser. */
const setUp = async (t, settings, pages) => setUpWorld(t, await openContext(t), settings, pages);

for (const [kind, lacks] of Object.entries(KINDS)) {
  const open = (count, world, extra = {}) => openTabs(count, world, { lacks, ...extra });

  test(`${kind}: five tabs hold one connection, and each sees each event once`, async (t) => {
    const world = await setUp(t);
    await fiveTabsShare(world, open, lacks.length ? 'leader' : 'shared-worker');
    assert.equal(world.cutter.accepted <= 3, true, 'a preflight and the stream');
  });

  test(`${kind}: where the hub tells topics, each tab sees its own events and no others`, async (t) => {
    const world = await setUp(t, { 'stream.topics': true });
    const wishes = [['a'], ['b'], ['a', 'b'], ['{x}']];
    const tabs = [];
    for (const topics of wishes) {
      tabs.push(await PackageTab.open(world.context, world.origin, { ...world.options, topics }, { lacks }));
    }
    for (const tab of tabs) await tab.until('all tabs are there', ({ state, tabs: there }) => state === 'open' && there === 4);
    const expected = wishes.map(() => []);
    for (let n = 0; n < 200; n += 1) {
      const topic = n % 50 < 49 ? 'a' : 'b';
      await world.hub.publish({ topics: [topic], data: String(n) });
      wishes.forEach((wish, tab) => (wish.includes(topic) || wish[0] === '{x}') && expected[tab].push(String(n)));
    }
    await world.hub.publish({ all: true, data: 'end' });
    for (const [n, tab] of tabs.entries()) assert.deepEqual(await tab.untilSeen(expected[n].length + 1), [...expected[n], 'end']);
    assert.equal(await active(world.hub), 1);
  });

  test(`${kind}: fifty reloads of one tab cost the others nothing`, async (t) => {
    await reloadsBesideOthers(await setUp(t), open);
  });

  test(`${kind}: fifty reloads of the only tab leave one connection`, async (t) => {
    await reloadsAlone(await setUp(t), open);
  });

  for (const end of ['closes', 'crashes', 'is frozen']) {
    test(`${kind}: the tab that was first ${end}, and the others miss nothing`, async (t) => {
      const world = await setUp(t);
      const tabs = await open(4, world);
      const { published, next } = numbers(world.hub);
      for (let n = 0; n < 10; n += 1) await next();
      await allSee(tabs, published);
      const [first, ...rest] = tabs;
      const session = await world.context.newCDPSession(first.page);
      const isPublishing = { now: true };
      const publishing = (async () => {
        while (isPublishing.now) await next();
      })();
      if (end === 'closes') await first.page.close();
      else if (end === 'crashes') {
        const crashed = new Promise((resolve) => first.page.once('crash', resolve));
        session.send('Page.crash').catch(() => {});
        await crashed;
      } else {
        // What a browser does: it says so, and then runs nothing of the page. package_freeze.test.mjs has it done by the browser.
        await first.page.evaluate(() => document.dispatchEvent(new Event('freeze')));
        await session.send('Debugger.enable');
        await session.send('Debugger.pause');
      }
      await rest[0].until('three tabs are left', (stats) => stats.state === 'open' && stats.tabs === 3);
      isPublishing.now = false;
      await publishing;
      await next();
      await allSee(rest, published);
      await eventually('one connection', async () => (await active(world.hub)) === 1);
      if (end === 'is frozen') {
        await session.send('Debugger.disable');
        await first.page.evaluate(() => document.dispatchEvent(new Event('resume')));
        await first.until('four tabs', (stats) => stats.tabs === 4);
        const types = await first.types();
        if (!types.includes('corecast.gap')) await allSee([first], published);
        assert.ok(lacks.length > 0 || !types.includes('corecast.gap'), 'a worker has what the frozen tab missed');
      }
    });
  }

  test(`${kind}: the network goes and comes back`, async (t) => {
    const world = await setUp(t);
    const tabs = await open(3, world);
    const { published, next } = numbers(world.hub);
    await next();
    for (let cut = 0; cut < 5; cut += 1) {
      world.cutter.cut();
      await tabs[0].until('the stream is gone', ({ state }) => state !== 'open');
      for (let n = 0; n < 3; n += 1) await next();
      world.cutter.mend();
      for (const tab of tabs) await tab.page.evaluate(() => dispatchEvent(new Event('online')));
      await tabs[0].untilOpen();
      await next();
    }
    await allSee(tabs, published);
    assert.equal(await active(world.hub), 1);
    for (const tab of tabs) assert.equal((await tab.stats()).duplicates, 0);
  });

  test(`${kind}: more than a page holds comes in one go when the network is back, and no tab misses any of it`, async (t) => {
    const world = await setUp(t);
    const tabs = await open(3, world);
    const { published, next } = numbers(world.hub);
    await next();
    await allSee(tabs, published);
    world.cutter.cut();
    await tabs[0].until('the stream is gone', ({ state }) => state !== 'open');
    for (let n = 0; n < 1600; n += 1) await next();
    world.cutter.mend();
    for (const tab of tabs) await tab.page.evaluate(() => dispatchEvent(new Event('online')));
    await allSee(tabs, published);
    for (const tab of tabs) assert.ok(!(await tab.types()).includes('corecast.gap'));
  });

  test(`${kind}: a silent network is noticed`, async (t) => {
    const world = await setUp(t, { 'stream.heartbeat': '300ms' });
    world.options.silenceMs = 1500;
    const tabs = await open(2, world);
    const { published, next } = numbers(world.hub);
    await next();
    await world.hub.heartbeats(6);
    assert.equal((await tabs[0].stats()).reconnects, 0);
    world.cutter.silence();
    await next();
    await tabs[0].until('another stream', ({ reconnects, state }) => reconnects >= 1 && state === 'open');
    await allSee(tabs, published);
    assert.deepEqual((await tabs[0].notices()).map(({ code }) => code), ['silent']);
  });

  test(`${kind}: the hub is killed and started again`, async (t) => {
    const world = await setUp(t);
    const tabs = await open(2, world);
    const { published, next } = numbers(world.hub);
    await next();
    await allSee(tabs, published);
    await world.hub.restart();
    for (const tab of tabs) await tab.until('it is back', ({ state, reconnects }) => state === 'open' && reconnects >= 1);
    await next();
    await allSee(tabs, published);
    for (const tab of tabs) assert.ok((await tab.types()).includes('corecast.gap'), 'its memory log is another one now');
  });

  test(`${kind}: a token that expires is renewed without a gap`, async (t) => {
    const world = await setUp(t, { 'auth.anonymous': false });
    const reasons = [];
    const mint = (reason) => {
      reasons.push(reason);
      return token({ user: 'alice', lifetime: reason === 'start' ? 20 : 3600 });
    };
    const extra = { token: 'call:mint', functions: { mint } };
    const tabs = await open(2, world, extra);
    const { published, next } = numbers(world.hub);
    for (let n = 0; n < 20; n += 1) await next();
    await tabs[0].until('a stream with the new token', ({ opens, state }) => opens === 2 && state === 'open');
    await next();
    await allSee(tabs, published);
    assert.deepEqual(reasons, ['start', 'expiring']);
    assert.equal(await active(world.hub), 1);
  });

  test(`${kind}: two browsers of a user do not evict each other in turn`, async (t) => {
    const world = await setUp(t);
    const extra = { token: token({ user: 'alice' }) };
    const old = await open(2, world, extra);
    const newer = await open(2, { ...world, context: await openContext(t) }, extra);
    for (const tab of old) await tab.until('evicted', ({ state, reason }) => state === 'stopped' && reason === 'evicted');
    await letPass(2000);
    assert.equal(await active(world.hub), 1);
    assert.equal((await newer[0].stats()).opens, 1);
    await old[0].page.evaluate(() => window.connection.reopen());
    for (const tab of newer) await tab.until('evicted in turn', ({ reason }) => reason === 'evicted');
    await old[1].untilOpen();
    const { published, next } = numbers(world.hub);
    await next();
    await allSee(old, published);
    assert.equal(await active(world.hub), 1);
  });

  test(`${kind}: topics follow the tabs`, async (t) => {
    const world = await setUp(t);
    const [tab] = await open(1, world);
    const other = await PackageTab.open(world.context, world.origin, { ...world.options, topics: ['letters'] }, { lacks });
    await other.until('both are there', ({ tabs, opens }) => tabs === 2 && opens === 2);
    await world.hub.publish({ topics: ['letters'], data: 'a', type: 'letter' });
    await other.untilSeen(1);
    const unsubscribe = await tab.page.evaluateHandle(() => window.connection.subscribe('signs'));
    await tab.until('three topics', ({ opens, state }) => opens === 3 && state === 'open');
    await world.hub.publish({ topics: ['signs'], data: '!' });
    await tab.untilSeen(2);
    await unsubscribe.evaluate((end) => end());
    await tab.until('two topics', ({ opens, state }) => opens === 4 && state === 'open');
    await world.hub.publish({ topics: ['signs'], data: '?' });
    await world.hub.publish({ topics: ['numbers'], data: '1' });
    assert.deepEqual(await tab.untilSeen(3), ['a', '!', '1']);
  });

  test(`${kind}: hidden tabs give the stream up after a while, and catch up`, async (t) => {
    const world = await setUp(t);
    world.options.hidden = { closeAfterMs: 300 };
    const tabs = await open(2, world);
    const { published, next } = numbers(world.hub);
    await next();
    const show = (tab, hidden) =>
      tab.page.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
        document.dispatchEvent(new Event('visibilitychange'));
      }, hidden);
    for (const tab of tabs) await show(tab, true);
    await tabs[0].until('paused', ({ state }) => state === 'paused');
    await eventually('no connection', async () => (await active(world.hub)) === 0);
    await next();
    await show(tabs[1], false);
    await allSee(tabs, published);
  });

  test(`${kind}: a page that is put aside neither has a lock nor waits for one`, async (t) => {
    const world = await setUp(t);
    const [aside, other] = await open(2, world);
    await aside.page.evaluate(() => {
      navigator.locks.request('a sign of this page', () => new Promise(() => {}));
      document.dispatchEvent(new Event('freeze'));
    });
    await other.until('one tab is left', ({ state, tabs }) => state === 'open' && tabs === 1);
    const names = () =>
      other.page.evaluate(async () => {
        const { held, pending } = await navigator.locks.query();
        const { clientId } = held.find(({ name }) => name === 'a sign of this page');
        return [...held, ...pending].filter((lock) => lock.clientId === clientId).map(({ name }) => name);
      });
    await eventually('no lock but its sign', async () => (await names()).length === 1);
  });

  test(`${kind}: a page that is gone back to goes on`, async (t) => {
    const world = await setUp(t);
    const [tab, other] = await open(2, world);
    const { published, next } = numbers(world.hub);
    await next();
    await allSee([tab], published);
    await tab.page.goto(`${world.origin}/elsewhere`);
    await other.until('one tab is left', ({ tabs }) => tabs === 1);
    await next();
    await tab.page.goBack();
    if (await tab.page.evaluate(() => window.connection === undefined)) await tab.begin();
    await other.until('both are there', ({ tabs }) => tabs === 2);
    await next();
    await allSee([other], published);
    assert.equal((await tab.untilSeen(1)).at(-1), '2');
  });
}

test('a leader that hangs is replaced, and nobody misses anything, nor does it when it wakes', (t) => hangingLeader(t, openContext));

test('without SharedWorker and Web Locks each tab has a stream of its own, and a user with three is warned of', async (t) => {
  const world = await setUp(t, { 'limits.per_user': 0 });
  const { context, origin, options } = world;
  const tabs = [];
  const lacks = ['sharedWorker', 'locks'];
  for (let n = 0; n < 3; n += 1) tabs.push(await PackageTab.open(context, origin, { ...options, user: 'alice' }, { lacks }));
  for (const tab of tabs) await tab.untilOpen();
  await eventually('three connections', async () => (await active(world.hub)) === 3);
  const { published, next } = numbers(world.hub);
  await next();
  for (const tab of tabs) assert.deepEqual(await tab.untilSeen(1), published);
  await tabs[0].until('all are known', ({ mode, connections }) => mode === 'solo' && connections.length === 3);
  assert.deepEqual((await tabs[0].notices()).map(({ type }) => type), ['warning']);
  const [record] = (await tabs[0].stats()).connections;
  assert.deepEqual(Object.keys(record).sort(), ['id', 'since', 'tab', 'user']);
  await tabs[2].page.close();
  await eventually('two connections', async () => (await active(world.hub)) === 2);
});

test('a worker without Web Locks notices tabs that leave', async (t) => {
  const { context, origin, options, hub } = await setUp(t);
  const tabs = [];
  for (let n = 0; n < 2; n += 1) tabs.push(await PackageTab.open(context, origin, options, { lacks: ['locks'] }));
  await tabs[0].until('both', ({ tabs: there }) => there === 2);
  await tabs[1].page.close({ runBeforeUnload: true });
  await tabs[0].until('one', ({ state, tabs: there, mode }) => state === 'open' && there === 1 && mode === 'shared-worker');
  assert.equal(await active(hub), 1);
});

test('where nothing may be stored, tabs still share', async (t) => {
  const { context, origin, options, hub } = await setUp(t);
  const tabs = [];
  for (let n = 0; n < 2; n += 1) tabs.push(await PackageTab.open(context, origin, options, { lacks: ['storage'] }));
  for (const tab of tabs) await tab.until('both', ({ state, tabs: there }) => state === 'open' && there === 2);
  assert.equal(await active(hub), 1);
});

test('a worker script that is missing is done without', async (t) => {
  const { context, origin, options, hub } = await setUp(t, {}, { without: ['client-worker.js'] });
  const tabs = [];
  for (let n = 0; n < 3; n += 1) tabs.push(await PackageTab.open(context, origin, options));
  for (const tab of tabs) await tab.until('all', ({ state, tabs: there, mode }) => state === 'open' && there === 3 && mode === 'leader');
  assert.equal(await active(hub), 1);
});

test('workers of two scripts have a stream each, and neither ends the other', async (t) => {
  const { context, origin, options, hub } = await setUp(t);
  const tabs = [];
  for (const workerUrl of [undefined, 'client-worker.js?next', '/client-worker.js?next']) {
    tabs.push(await PackageTab.open(context, origin, { ...options, workerUrl }));
  }
  for (const [n, there] of [1, 2, 2].entries()) {
    await tabs[n].until('its tabs are there', ({ state, tabs: found, mode }) => state === 'open' && found === there && mode === 'shared-worker');
  }
  assert.equal(await active(hub), 2);
  const { published, next } = numbers(hub);
  await next();
  await allSee(tabs, published);
  for (const tab of tabs) assert.deepEqual(await tab.types(), ['message']);
});

test('a worker that says nothing is asked for anew', async (t) => {
  const { context, origin, options, hub } = await setUp(t);
  const tab = await PackageTab.open(context, origin, options, { lacks: ['firstAnswer'] });
  await tab.until('open', ({ state, mode }) => state === 'open' && mode === 'shared-worker');
  assert.equal(await active(hub), 1);
});

test('as an ES module', async (t) => {
  const page = `<!doctype html><title>page</title><script type="module">import * as corecast from '/client.mjs'; window.corecast = corecast;</script>`;
  const { context, origin, options, hub } = await setUp(t, {}, { page });
  for (const lacks of [[], ['sharedWorker']]) {
    const tab = await PackageTab.open(context, origin, options, { lacks });
    await tab.untilOpen();
    assert.equal((await tab.stats()).mode, lacks.length ? 'leader' : 'shared-worker');
    await tab.page.close();
    await eventually('its connection ends', async () => (await active(hub)) === 0);
  }
});

test('asked twice, the same; closed, another', async (t) => {
  const { context, origin, options } = await setUp(t);
  const tab = await PackageTab.open(context, origin, options);
  await tab.untilOpen();
  const answers = await tab.page.evaluate((again) => {
    const { connect, getConnection, hasActiveConnection } = window.corecast;
    const first = window.connection;
    const same = connect(again) === first && getConnection() === first && getConnection(again) === first;
    const before = [hasActiveConnection(), hasActiveConnection({ url: '/other' })];
    first.close();
    return { same, before, after: hasActiveConnection(), state: first.state, next: connect(again) !== first };
  }, options);
  assert.deepEqual(answers, { same: true, before: [true, false], after: false, state: 'stopped', next: true });
});

test('a handler that throws harms nobody, and a loop reads along', async (t) => {
  const { context, origin, options, hub } = await setUp(t);
  const tab = await PackageTab.open(context, origin, options);
  await tab.untilOpen();
  const thrown = [];
  tab.page.on('pageerror', (error) => thrown.push(error.message));
  await tab.page.evaluate(() => {
    window.looped = [];
    window.connection.on('message', () => {
      throw new Error('mine');
    });
    (async () => {
      for await (const { data } of window.connection) window.looped.push(data);
      window.looped.push('end');
    })();
  });
  for (const data of ['0', '1']) await hub.publish({ topics: ['numbers'], data });
  await tab.untilSeen(2);
  await eventually('both are reported', () => thrown.length === 2);
  assert.deepEqual(thrown, ['mine', 'mine']);
  await tab.page.evaluate(() => window.connection.close());
  await eventually('the loop ends', () => tab.page.evaluate(() => window.looped.length === 3));
  assert.deepEqual(await tab.page.evaluate(() => window.looped), ['0', '1', 'end']);
  await eventually('no connection', async () => (await active(hub)) === 0);
});

test('a stream that breaks before its first event goes on where it began', async (t) => {
  const { context, origin, options, hub, cutter } = await setUp(t);
  await hub.publish({ topics: ['numbers'], data: 'before' });
  const tab = await PackageTab.open(context, origin, options);
  await tab.untilOpen();
  cutter.cut();
  await tab.until('the stream is gone', ({ state }) => state !== 'open');
  await hub.publish({ topics: ['numbers'], data: 'meanwhile' });
  cutter.mend();
  assert.deepEqual(await tab.untilSeen(1), ['meanwhile']);
});

test('the hub serves the package to its own origin, worker and all', async (t) => {
  const hub = await startHub(t);
  const context = await openContext(t);
  const page = await context.newPage();
  for (const [lacks, mode] of [[[], 'shared-worker'], [['sharedWorker'], 'leader']]) {
    await page.goto(`${hub.url}/healthz`);
    for (const lack of lacks) await page.evaluate(LACKS[lack]);
    await page.addScriptTag({ url: '/client.js' });
    const tab = new PackageTab(page, { options: { topics: ['numbers'] } });
    await tab.begin();
    await tab.untilOpen();
    assert.equal((await tab.stats()).mode, mode);
  }
});

test('the hub serves the package to pages of other origins, and again only if it has changed', async (t) => {
  const { context, hub } = await setUp(t, { 'cors.origins': [] });
  for (const name of ['client.js', 'client.mjs', 'client-host.mjs', 'client-worker.js']) {
    const answer = await fetch(`${hub.url}/${name}`);
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'text/javascript; charset=utf-8'], name);
    assert.equal(await answer.text(), await built(name), name);
    const again = await fetch(`${hub.url}/${name}`, { headers: { 'If-None-Match': answer.headers.get('etag') } });
    assert.deepEqual([again.status, await again.text()], [304, ''], name);
  }
  const page = await context.newPage();
  await page.goto(await servePackage(t, { page: '<!doctype html>' }));
  const names = await page.evaluate(async (url) => Object.keys(await import(url)), `${hub.url}/client.mjs`);
  assert.deepEqual(names.sort(), ['connect', 'getConnection', 'hasActiveConnection']);
});

test('pages of an unlisted origin are told once, and try seldom', async (t) => {
  const { context, origin, options, hub } = await setUp(t, { 'cors.origins': ['https://app.example.com'] });
  const tab = await PackageTab.open(context, origin, options);
  await eventually('an error', async () => (await tab.notices()).length > 0);
  await letPass(1500);
  assert.deepEqual((await tab.notices()).map(({ code, fatal }) => [code, fatal]), [['network', false]]);
  assert.ok((await active(hub)) <= 1, 'each attempt takes the place of the one before');
});

test('answers that are no stream: one clear error, no loop, and nothing of the token', async (t) => {
  let requests = 0;
  const answers = {
    missing: [404, {}, 'refused'],
    page: [200, { 'Content-Type': 'text/html' }, 'not_a_stream'],
    nobody: [401, {}, 'unauthorized'],
  };
  const other = {};
  for (const [name, [status, headers]] of Object.entries(answers)) {
    other[name] = (_request, response) => {
      requests += 1;
      response.writeHead(status, headers).end('secret-token');
    };
  }
  const origin = await servePackage(t, { other });
  const context = await openContext(t);
  for (const [name, [, , code]] of Object.entries(answers)) {
    requests = 0;
    const said = [];
    const tab = await PackageTab.open(context, origin, { url: `/${name}` }, { token: 'secret-token' });
    tab.page.on('console', (message) => said.push(message.text()));
    await tab.until('stopped', ({ state, reason }) => state === 'stopped' && reason === 'refused');
    const notices = await tab.notices();
    assert.deepEqual(notices.map((notice) => [notice.code, notice.fatal]), [[code, true]]);
    await letPass(300);
    assert.ok(requests <= 2, `${requests} requests`);
    assert.doesNotMatch(JSON.stringify([notices, said, await tab.stats()]), /secret/);
    await tab.page.close();
  }
});

test('a token that no header can carry is no error that shows it', async (t) => {
  const { context, origin, options } = await setUp(t);
  const said = [];
  const tab = await PackageTab.open(context, origin, options, { token: 'secret\ntoken' });
  tab.page.on('console', (message) => said.push(message.text()));
  await eventually('an error', async () => (await tab.notices()).length > 0);
  assert.doesNotMatch(JSON.stringify([await tab.notices(), said]), /secret/);
});

test('a token function that gives nothing: one clear error, and no request', async (t) => {
  const { context, origin, options, cutter } = await setUp(t);
  for (const nothing of [undefined, null, '', {}]) {
    let asked = 0;
    const mint = () => {
      asked += 1;
      return nothing;
    };
    const tab = await PackageTab.open(context, origin, { ...options, user: String(nothing) }, { token: 'call:mint', functions: { mint } });
    await tab.until('stopped', ({ state }) => state === 'stopped');
    await letPass(1500);
    assert.deepEqual((await tab.notices()).map(({ code, fatal }) => [code, fatal]), [['token', true]]);
    assert.equal(asked, 1);
    await tab.page.close();
  }
  assert.equal(cutter.accepted, 0);
});

test('a part of the package that cannot be loaded is asked for again, by another address, when somebody acts', async (t) => {
  const asked = [];
  const other = {
    'client-host.mjs': async (request, response) => {
      asked.push(request.url);
      if (asked.length === 1) return response.writeHead(503).end();
      response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(await built('client-host.mjs'));
    },
  };
  const { context, origin, options } = await setUp(t, {}, { other });
  const tab = await PackageTab.open(context, origin, options, { lacks: ['sharedWorker'] });
  await tab.until('stopped', ({ state }) => state === 'stopped');
  await tab.page.evaluate(() => window.connection.reopen());
  await tab.untilOpen();
  assert.deepEqual(asked, ['/client-host.mjs', '/client-host.mjs?1']);
  assert.deepEqual((await tab.notices()).map(({ code, fatal }) => [code, fatal]), [['network', true]]);
});

test('a classic script of another origin: tabs share by a leader', async (t) => {
  const scripts = await servePackage(t);
  const page = `<!doctype html><title>page</title><script src="${scripts}/client.js"></script>`;
  const { context, origin, options, hub } = await setUp(t, {}, { page });
  const tabs = [];
  for (let n = 0; n < 3; n += 1) tabs.push(await PackageTab.open(context, origin, options));
  for (const tab of tabs) await tab.until('all', ({ state, tabs: there, mode }) => state === 'open' && there === 3 && mode === 'leader');
  assert.equal(await active(hub), 1);
  const { published, next } = numbers(hub);
  await next();
  await allSee(tabs, published);
});

test('in a frame that may neither store nor share: a stream of its own, and no error', async (t) => {
  const frame = '<!doctype html><iframe sandbox="allow-scripts" src="/inner"></iframe>';
  const inner = (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>inner</title><script src="/client.js"></script>');
  };
  // Its origin is opaque, which a hub knows as any other.
  const { context, origin, options, hub } = await setUp(t, { 'cors.origins': ['*'] }, { page: frame, other: { inner } });
  const page = await context.newPage();
  await page.goto(origin);
  const [, framed] = page.frames();
  const forbidden = () => {
    const isRefused = (run) => {
      try {
        run();
        return false;
      } catch {
        return true;
      }
    };
    return [isRefused(() => localStorage.length), isRefused(() => new SharedWorker('/client-worker.js'))];
  };
  assert.deepEqual(await framed.evaluate(forbidden), [true, true]);
  const tab = new PackageTab(framed, { options });
  await tab.begin();
  await tab.untilOpen();
  await hub.publish({ topics: ['numbers'], data: '0' });
  assert.deepEqual(await tab.untilSeen(1), ['0']);
  assert.deepEqual([(await tab.stats()).mode, await tab.notices()], ['solo', []]);
  assert.equal(await active(hub), 1);
});

test('the demo page: five tabs share a stream, and say so', async (t) => {
  const { url } = await startDemo(t);
  const context = await openContext(t);
  const pages = [];
  for (let n = 0; n < 5; n += 1) {
    const page = await context.newPage();
    await page.goto(url);
    pages.push(page);
  }
  const textOf = (page, id) => page.locator(`#${id}`).textContent();
  const [first, ...rest] = pages;
  await first.fill('#line', 'hello');
  await first.click('#chat button');
  for (const page of rest) await page.locator('#events').getByText('hello', { exact: true }).waitFor();
  const figures = async () => Promise.all(['tabs', 'own', 'plain', 'hub', 'role'].map((id) => textOf(rest[3], id)));
  await eventually('all figures', async () => (await figures()).join() === '5,1,5,1,a worker');
  await first.close();
  await eventually('one tab less', async () => (await figures()).join() === '4,1,4,1,a worker');
});
