// What happens to tabs in more than one kind of browser.

import assert from 'node:assert/strict';

import { token } from './hub.mjs';
import { active, allSee, numbers, openTabs, setUpWorld } from './package_world.mjs';
import { eventually } from './wait.mjs';

/** `open` gives so many tabs. */
export async function fiveTabsShare(world, open, mode) {
  const tabs = await open(5, world);
  assert.equal(await active(world.hub), 1);
  const { published, next } = numbers(world.hub);
  for (let n = 0; n < 200; n += 1) await next();
  await allSee(tabs, published);
  const stats = await Promise.all(tabs.map((tab) => tab.stats()));
  assert.deepEqual(stats.map((each) => each.mode), Array(5).fill(mode));
  assert.equal(new Set(stats.map(({ connection }) => connection.id)).size, 1);
  assert.deepEqual(stats.map(({ duplicates, connections }) => [duplicates, connections.length]), Array(5).fill([0, 1]));
}

export async function reloadsBesideOthers(world, open) {
  const tabs = await open(3, world);
  const { published, next } = numbers(world.hub);
  for (let reload = 0; reload < 50; reload += 1) {
    await next();
    await tabs[2].reload();
    assert.ok((await active(world.hub)) <= 1);
  }
  await next();
  await allSee(tabs.slice(0, 2), published);
  assert.equal((await tabs[0].stats()).reconnects, 0);
  assert.equal(await active(world.hub), 1);
}

export async function reloadsAlone(world, open) {
  const [tab] = await open(1, world);
  for (let reload = 0; reload < 50; reload += 1) await tab.reload();
  await tab.untilOpen();
  await eventually('one connection', async () => (await active(world.hub)) === 1);
  const { published, next } = numbers(world.hub);
  await next();
  await allSee([tab], published);
}

/** A tab that really runs nothing: it waits for an answer that comes when the test says so. */
function hangUntil() {
  const waiting = [];
  return {
    other: { hang: (_request, response) => waiting.push(response) },
    /** Does not return before it hangs, as far as the server can tell. */
    async hang(tab) {
      const before = waiting.length;
      await tab.page.evaluate(() => {
        const request = new XMLHttpRequest();
        request.open('GET', '/hang', false);
        setTimeout(() => request.send());
      });
      await eventually('the tab hangs', () => waiting.length > before);
    },
    wake: () => waiting.splice(0).forEach((response) => response.end()),
  };
}

/** The leader hangs for longer than the others have patience, twice, and goes on as one of them. */
export async function hangingLeader(t, openContext) {
  const { other, hang, wake } = hangUntil();
  const world = await setUpWorld(t, await openContext(t), {}, { other });
  // With a user, so that the hub ends the stream that hangs when the next one comes.
  const tabs = await openTabs(4, world, { lacks: ['sharedWorker'], token: token({ user: 'alice' }) });
  const { published, next, nextWhile } = numbers(world.hub);
  for (let n = 0; n < 10; n += 1) await next();
  await allSee(tabs, published);
  for (let round = 0; round < 2; round += 1) {
    const { connection } = await tabs[0].stats();
    const leader = (await Promise.all(tabs.map((tab) => tab.stats()))).findIndex(({ tab }) => tab === connection.tab);
    const [hung] = tabs.splice(leader, 1);
    await hang(hung);
    // Firefox still hands messages to a page that hangs so, which makes it one of the followers.
    const isReplaced = ({ state, tabs: there, connection: now }) => state === 'open' && there >= 3 && now.tab !== connection.tab;
    await Promise.all(tabs.map((tab) => tab.until('another leads', isReplaced, 40_000)));
    for (let n = 0; n < 10; n += 1) await next();
    await allSee(tabs, published);
    await eventually('one connection', async () => (await active(world.hub)) === 1);
    const { opens } = await tabs[0].stats();
    wake();
    tabs.push(hung);
    await nextWhile(hung.until('it is one of them', (stats) => stats.state === 'open' && stats.tabs === 4));
    await next();
    await allSee(tabs, published);
    assert.equal((await tabs[0].stats()).opens, opens, 'the one that woke has not disturbed the stream');
    assert.equal(await active(world.hub), 1);
  }
  for (const tab of tabs) {
    assert.deepEqual((await tab.types()).filter((type) => type.startsWith('corecast.') && !/state/.test(type)), []);
    assert.deepEqual(await tab.notices(), []);
  }
}
