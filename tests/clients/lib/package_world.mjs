// What tests of @corecast/client stand on, whichever browser it is: a hub, pages of an origin, a network, and tabs.

import assert from 'node:assert/strict';

import { startHub } from './hub.mjs';
import { PackageTab, servePackage, startCutter } from './package_page.mjs';

/** How a browser shares, by what it lacks. */
export const KINDS = {
  'shared worker': [],
  'leader, without SharedWorker': ['sharedWorker'],
};

/**
 * A hub behind a network that can be cut, an origin with pages, and a browser, which is a `context`. `host` is the name by
 * which that browser calls all of them.
 */
export async function setUpWorld(t, context, settings = {}, { host, ...pages } = {}) {
  const named = (url) => (host ? url.replace('127.0.0.1', host) : url);
  const origin = named(await servePackage(t, pages));
  const hub = await startHub(t, { 'cors.origins': [origin], ...settings });
  const cutter = await startCutter(t, hub.url);
  const options = { url: `${named(cutter.url)}/events`, topics: ['numbers'] };
  return { origin, hub, cutter, context, options };
}

export const active = (hub) => hub.metric('sse_active_connections');

/** Publishes numbers; `published` has all of them. */
export function numbers(hub, topic = 'numbers') {
  const published = [];
  const next = async () => {
    const data = String(published.length);
    await hub.publish({ topics: [topic], data });
    published.push(data);
  };
  /** Publishes until `during` is over, as fast as the hub takes it. */
  const nextWhile = async (during) => {
    let isOver = false;
    const over = during.finally(() => (isOver = true));
    over.catch(() => {});
    while (!isOver) await next();
    return over;
  };
  return { published, next, nextWhile };
}

/** Opens `count` tabs, and waits until they share one open stream. `extra` is for `PackageTab.open`. */
export async function openTabs(count, { context, origin, options }, extra = {}) {
  const tabs = [];
  for (let n = 0; n < count; n += 1) tabs.push(await PackageTab.open(context, origin, options, extra));
  for (const tab of tabs) await tab.until('all tabs are there', ({ state, tabs: there }) => state === 'open' && there === count);
  return tabs;
}

/** Each of the tabs has seen just what was published, in order. */
export async function allSee(tabs, published) {
  for (const tab of tabs) assert.deepEqual(await tab.untilSeen(published.length), published);
}
