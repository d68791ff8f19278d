import { beforeEach, describe, expect, test } from 'vitest';

import { Session } from '../src/session.ts';
import { Random } from './random.ts';
import { CONFIG, Tab } from './tab.ts';
import { Clock, FakeHub, fakeEnv, idOf, settled } from './world.ts';

let clock: Clock;
let hub: FakeHub;
let random: Random;
let session: Session;

function newSession(expected = 0): Session {
  return new Session(fakeEnv(clock, hub, random), CONFIG, 'worker', undefined, expected, 500);
}

beforeEach(() => {
  clock = new Clock();
  random = new Random(7);
  hub = new FakeHub(random);
  session = newSession();
});

async function openTab(topics: string[], token?: Tab['token']): Promise<Tab> {
  const tab = new Tab(topics);
  tab.token = token;
  tab.join(session);
  await clock.advance(60);
  return tab;
}

const refusal = (status: number, headers: Record<string, string> = {}) => new Response(null, { status, headers });

describe('one stream for all tabs', () => {
  test('five tabs, one request', async () => {
    const tabs = Array.from({ length: 5 }, () => new Tab(['a']).join(session));
    await clock.advance(100);
    expect(hub.requests).toHaveLength(1);
    hub.publish('a', 'one');
    await settled();
    for (const tab of tabs) {
      expect(tab.data).toEqual(['one']);
      expect(tab.status).toMatchObject({ state: 'open', tabs: 5, opens: 1, reconnects: 0 });
    }
  });

  test('topics of all tabs, and of a tab that goes only for a while', async () => {
    await openTab(['a']);
    const other = await openTab(['b', 'a']);
    expect(hub.requests.map(({ topics }) => topics)).toEqual([['a'], ['a', 'b']]);
    other.leave();
    await clock.advance(4900);
    expect(hub.requests).toHaveLength(2);
    await clock.advance(200);
    expect(hub.requests.at(-1)?.topics).toEqual(['a']);
  });

  test('a reload costs the others nothing', async () => {
    await openTab(['a']);
    for (let reload = 0; reload < 50; reload += 1) {
      const tab = await openTab(['b']);
      tab.leave();
      await clock.advance(100);
    }
    expect(hub.requests).toHaveLength(2);
  });

  test('changes within a moment are one', async () => {
    const tab = await openTab(['a']);
    for (const topics of [[], ['b'], ['c'], ['c', 'd']]) tab.setTopics(topics);
    await clock.advance(60);
    expect(hub.requests.map(({ topics }) => topics)).toEqual([['a'], ['c', 'd']]);
  });

  test('nothing is lost or doubled when the topics change', async () => {
    const tab = await openTab(['a']);
    for (let n = 0; n < 20; n += 1) {
      tab.setTopics(n % 2 ? ['a'] : ['a', 'b']);
      hub.publish('a');
      await clock.advance(30);
      hub.publish('a');
      await clock.advance(30);
    }
    expect(tab.data).toEqual(hub.log.map(({ data }) => data));
    expect(tab.inbox.duplicates).toBe(0);
    expect(hub.requests.length).toBeGreaterThan(15);
  });

  test('the last tab takes the stream with it', async () => {
    const tabs = [await openTab(['a']), await openTab(['a'])];
    for (const tab of tabs) tab.leave();
    await settled();
    expect(hub.streams.size).toBe(0);
  });

  test('more topics than a stream can have are refused to the tab that brings them', async () => {
    const first = await openTab(['a']);
    const second = await openTab(Array.from({ length: 300 }, (_, n) => `b${n}`));
    expect(hub.requests.at(-1)?.topics).toHaveLength(256);
    expect(hub.requests.at(-1)?.topics).toContain('a');
    expect([first.errors, second.errors.map(({ code }) => code)]).toEqual([[], ['topics']]);
  });

  test('topics that the hub refuses cost the others nothing', async () => {
    const first = await openTab(['a']);
    hub.answer = (topics) => (topics.includes('bad') ? refusal(400) : undefined);
    const second = await openTab(['a', 'bad']);
    hub.publish('a', 'one');
    await clock.advance(100);
    expect(second.errors).toMatchObject([{ code: 'topics', status: 400, fatal: false }]);
    expect([first.data, second.data, first.errors]).toEqual([['one'], ['one'], []]);
    expect(first.status.state).toBe('open');
  });
});

describe('topics that the hub refuses', () => {
  beforeEach(() => {
    hub.answer = (topics) => (topics.includes('bad') ? refusal(400) : topics.includes('reserved') ? refusal(403) : undefined);
  });

  const tokens: [string, Tab['token']][] = [
    ['no token', undefined],
    ['a plain token', 'plain'],
    ['a token function', () => 'given'],
    ['a token function that has no other', (reason) => (reason === 'start' ? 'given' : '')],
  ];
  for (const [name, token] of tokens) {
    for (const [bad, status] of [['bad', 400], ['reserved', 403]] as const) {
      test(`cost a tab without topics nothing: ${status}, ${name}`, async () => {
        const first = await openTab([], token);
        const second = await openTab([bad], token);
        await clock.advance(100);
        expect(second.errors).toMatchObject([{ code: 'topics', status, fatal: false }]);
        expect([first.errors, first.status.state, hub.streams.size]).toEqual([[], 'open', 1]);
      });
    }
  }

  test('and that all tabs want stop the stream, with one error', async () => {
    const tab = await openTab(['reserved'], 'plain');
    expect(tab.errors).toMatchObject([{ code: 'unauthorized', status: 403, fatal: true }]);
  });
});

describe('where the hub tells topics', () => {
  beforeEach(() => {
    hub.tellsTopics = true;
  });

  const dataOf = (tabs: Tab[]) => tabs.map(({ data }) => data);

  test('each tab gets what it asked for, and what is to all', async () => {
    const tabs = [await openTab(['a']), await openTab(['b', 'a']), await openTab([]), await openTab(['*'])];
    for (const topic of ['a', 'b', 'c', '']) hub.publish(topic, topic || 'all');
    await settled();
    expect(dataOf(tabs)).toEqual([['a', 'all'], ['a', 'b', 'all'], ['all'], ['a', 'b', 'c', 'all']]);
    expect(tabs[1]?.seen.map(({ topics }) => topics)).toEqual([['a'], ['b'], undefined]);
  });

  test('one of several topics is enough, and what may be a template sees all', async () => {
    const tabs = [await openTab(['b']), await openTab(['c']), await openTab(['x/{y}']), await openTab(['\ud800'])];
    hub.say(`topic: a\ntopic: b\ndata: both\nid: ${idOf(1)}\n\n`);
    await settled();
    expect(dataOf(tabs)).toEqual([['both'], [], ['both'], ['both']]);
  });

  test('topics in the address are everybody\u2019s', async () => {
    const config = { ...CONFIG, url: 'http://hub.test/events?topic=news' };
    session = new Session(fakeEnv(clock, hub, random), config, 'worker');
    const tabs = [await openTab(['a']), await openTab(['b'])];
    for (const topic of ['news', 'a']) hub.publish(topic, topic);
    await settled();
    expect(dataOf(tabs)).toEqual([['news', 'a'], ['news']]);
  });

  test('a topic that one tab adds replays nothing into others', async () => {
    const tabs = [await openTab(['a']), await openTab(['b'])];
    hub.publish('a', 'a1');
    await settled();
    hub.publish('c', 'c1');
    tabs[0]?.setTopics(['a', 'c']);
    await clock.advance(100);
    expect(hub.requests.at(-1)?.topics).toEqual(['a', 'b', 'c']);
    expect(dataOf(tabs)).toEqual([['a1', 'c1'], []]);
  });

  test('what is for others does not fill a tab\u2019s window, nor make it fall behind', async () => {
    const [quiet] = [await openTab(['quiet']), await openTab(['busy'])];
    for (let n = 0; n < 3000; n += 1) hub.publish('busy');
    await settled();
    hub.publish('quiet', 'one');
    await settled();
    quiet.leave();
    hub.publish('quiet', 'two');
    await settled();
    quiet.join(session);
    await clock.advance(100);
    expect([quiet.data, quiet.types()]).toEqual([['one', 'two'], ['message', 'message']]);
  });

  test('a new leader goes on where a quiet tab was, which is not its last event', async () => {
    const tabs = [await openTab(['quiet']), await openTab(['busy'])];
    for (let n = 0; n < 100; n += 1) hub.publish('busy');
    await settled();
    // Nothing older is left on the hub: whoever asked for it would be told of a gap.
    hub.oldest = 100;
    for (const tab of tabs) tab.orphan();
    session.close();
    session = newSession(2);
    for (const tab of tabs) tab.join(session);
    await clock.advance(1000);
    hub.publish('quiet', 'one');
    await settled();
    expect(hub.requests.at(-1)?.cursor).toBe(idOf(100));
    expect(tabs.map((tab) => tab.types().includes('corecast.gap'))).toEqual([false, false]);
    expect(tabs[0]?.data).toEqual(['one']);
  });

  test('a frozen tab costs its window and no more, and misses nothing that others\u2019 events cover', async () => {
    const [quiet] = [await openTab(['quiet']), await openTab(['busy'])];
    quiet.isFrozen = true;
    for (let n = 0; n < 2000; n += 1) {
      hub.publish('busy');
      if (n % 20 === 0) await settled();
    }
    hub.publish('quiet', 'one');
    await settled();
    expect(quiet.queue.length).toBeLessThanOrEqual(520);
    quiet.thaw();
    await settled();
    expect([quiet.data, quiet.types()]).toEqual([['one'], ['message']]);
  });
});

describe('a stream that breaks', () => {
  test('goes on where it was, and a cut block comes again', async () => {
    const tab = await openTab(['a']);
    hub.publish('a', 'one');
    await settled();
    hub.dropAll();
    hub.publish('a', 'two');
    await clock.advance(1100);
    expect(tab.data).toEqual(['one', 'two']);
    expect(tab.status).toMatchObject({ reconnects: 1 });
  });

  test('goes on where it began, if it has seen nothing', async () => {
    hub.publish('a', 'before');
    const tab = await openTab(['a']);
    hub.dropAll();
    hub.publish('a', 'one');
    await clock.advance(1100);
    expect(tab.data).toEqual(['one']);
  });

  test('a clean end is an end like others: proxies make one of an abort', async () => {
    const tab = await openTab(['a']);
    hub.endAll();
    hub.publish('a', 'one');
    await clock.advance(1100);
    expect(tab.data).toEqual(['one']);
  });

  test('waits longer and longer while there is nobody, and says so once', async () => {
    const tab = await openTab(['a']);
    hub.answer = () => new TypeError('unreachable');
    hub.dropAll();
    await clock.advance(10 * 60_000);
    expect(tab.errors).toMatchObject([{ code: 'network', fatal: false }]);
    // At 30 s at most, and 15 s on average: some forty in ten minutes.
    expect(hub.requests.length).toBeGreaterThan(20);
    expect(hub.requests.length).toBeLessThan(80);
    hub.answer = () => undefined;
    hub.publish('a', 'one');
    await clock.advance(31_000);
    expect([tab.data, tab.status.state]).toEqual([['one'], 'open']);
  });

  test('a hub that takes streams and ends them at once is not hammered', async () => {
    const tab = await openTab(['a']);
    hub.retryMs = 100;
    hub.answer = () => new Response('', { headers: { 'content-type': 'text/event-stream' } });
    hub.dropAll();
    await clock.advance(5 * 60_000);
    expect(hub.requests.length).toBeLessThan(60);
    expect(tab.errors).toEqual([]);
  });

  test('comes back at once when the network does', async () => {
    const tab = await openTab(['a']);
    hub.answer = () => new TypeError('unreachable');
    hub.dropAll();
    await clock.advance(120_000);
    hub.answer = () => undefined;
    const before = hub.requests.length;
    for (let n = 0; n < 5; n += 1) tab.say({ t: 'online' });
    await settled();
    expect(hub.requests.length - before).toBe(1);
    expect(tab.status.state).toBe('open');
  });

  test('that is silent is opened anew, and comments are no silence', async () => {
    const tab = await openTab(['a']);
    for (let n = 0; n < 10; n += 1) {
      await clock.advance(40_000);
      hub.say(':\n');
    }
    expect(hub.requests).toHaveLength(1);
    await clock.advance(47_000);
    expect(hub.requests).toHaveLength(2);
    expect(tab.errors).toMatchObject([{ code: 'silent', fatal: false }]);
  });

  test('silence is measured by the heartbeat that the hub tells, unless the page says otherwise', async () => {
    const cases = [
      ['60', true, 180_000],
      ['1', true, 5000],
      ['', true, 45_000],
      ['soon', true, 45_000],
      ['60', false, 45_000],
    ] as const;
    for (const [heartbeat, silenceFollows, ms] of cases) {
      hub.heartbeat = heartbeat;
      session = new Session(fakeEnv(clock, hub, random), { ...CONFIG, silenceFollows }, 'worker');
      const tab = await openTab(['a']);
      await clock.advance(ms - 100);
      expect(tab.errors, `${heartbeat} before`).toEqual([]);
      await clock.advance(200);
      expect(tab.errors, `${heartbeat} after`).toMatchObject([{ code: 'silent' }]);
      tab.leave();
    }
  });

  test('a request that is never answered is given up', async () => {
    const stuck = () => new Promise<Response>(() => {});
    session = new Session({ ...fakeEnv(clock, hub, random), fetch: stuck }, CONFIG, 'worker');
    const tab = new Tab(['a']).join(session);
    await clock.advance(46_000);
    expect(tab.errors).toMatchObject([{ code: 'silent' }]);
  });

  test('is told of a gap, which moves the cursor', async () => {
    const tab = await openTab(['a']);
    hub.publish('a', 'one');
    await settled();
    hub.dropAll();
    for (let n = 0; n < 5; n += 1) hub.publish('a');
    hub.oldest = 4;
    await clock.advance(1100);
    expect(tab.types()).toEqual(['message', 'corecast.gap', 'message', 'message']);
    expect(tab.status.gaps).toBe(1);
  });
});

describe('answers that are no stream', () => {
  const cases: [string, () => Response, object][] = [
    ['404', () => refusal(404), { code: 'refused', status: 404, fatal: true }],
    ['a page', () => new Response('<html>', { headers: { 'content-type': 'text/html' } }), { code: 'not_a_stream', fatal: true }],
    ['nothing at all', () => new Response('x'), { code: 'not_a_stream', fatal: true }],
    ['401', () => refusal(401), { code: 'unauthorized', fatal: true }],
    ['403', () => refusal(403), { code: 'unauthorized', fatal: true }],
  ];
  test.each(cases)('%s: one error, and no request more', async (_name, answer, error) => {
    hub.answer = answer;
    const tab = await openTab(['a'], 'token');
    await clock.advance(3600_000);
    expect(tab.errors).toMatchObject([error]);
    expect(hub.requests.length).toBeLessThanOrEqual(2);
    expect(tab.status).toMatchObject({ state: 'stopped', reason: 'refused' });
    expect(clock.waiting).toBe(0);
  });

  test('204 stops it without an error', async () => {
    hub.answer = () => refusal(204);
    const tab = await openTab(['a']);
    await clock.advance(3600_000);
    expect([tab.errors, hub.requests.length]).toEqual([[], 1]);
    expect(tab.status).toMatchObject({ state: 'stopped', reason: 'gone' });
  });

  test('503 and 429 are waited for, as long as they say', async () => {
    for (const status of [503, 429]) {
      hub.answer = () => refusal(status, { 'retry-after': '60' });
      const before = hub.requests.length;
      const tab = await openTab(['a']);
      await clock.advance(59_000);
      expect(hub.requests.length - before).toBe(1);
      hub.answer = () => undefined;
      await clock.advance(2000);
      expect(tab.status.state).toBe('open');
      expect(tab.errors).toMatchObject([{ code: 'unavailable', status, fatal: false }]);
      tab.leave();
    }
  });

  test('a new token opens what was refused', async () => {
    hub.answer = (_topics, token) => (token === 'good' ? undefined : refusal(401));
    const tab = await openTab(['a'], 'bad');
    tab.setToken('good');
    await clock.advance(100);
    expect(tab.status.state).toBe('open');
    expect(JSON.stringify([tab.errors, tab.statuses])).not.toMatch(/good|bad/);
  });
});

describe('tokens', () => {
  test('a function is asked at the start, and no more while its token serves', async () => {
    let n = 0;
    const tab = await openTab(['a'], () => `token-${(n += 1)}`);
    hub.dropAll();
    await clock.advance(1100);
    expect(hub.requests.map(({ token }) => token)).toEqual(['token-1', 'token-1']);
    expect(tab.asked).toEqual(['start']);
  });

  test('an expiring one is renewed while the stream runs, without a gap', async () => {
    let n = 0;
    const tab = await openTab(['a'], () => `token-${(n += 1)}`);
    hub.say('event: corecast.expiring\ndata: {"seconds":30}\n\n');
    hub.publish('a', 'one');
    await clock.advance(0);
    hub.publish('a', 'two');
    await clock.advance(100);
    expect(hub.requests.map(({ token }) => token)).toEqual(['token-1', 'token-2']);
    expect([tab.data, tab.asked]).toEqual([['one', 'two'], ['start', 'expiring']]);
    expect(tab.types()).toContain('corecast.expiring');
  });

  test('tokens that always expire soon are no busy loop', async () => {
    let n = 0;
    await openTab(['a'], () => `token-${(n += 1)}`);
    for (let second = 0; second < 60; second += 1) {
      hub.say('event: corecast.expiring\ndata: {"seconds":5}\n\n');
      await clock.advance(1000);
    }
    expect(hub.requests.length).toBeLessThan(40);
  });

  test('a refused one is asked for again, once', async () => {
    hub.answer = (_topics, token) => (token === 'new' ? undefined : refusal(401));
    const tab = await openTab(['a'], (reason) => (reason === 'refused' ? 'new' : 'old'));
    expect([tab.asked, tab.errors, tab.status.state]).toEqual([['start', 'refused'], [], 'open']);
  });

  test('a tab that does not answer is passed over', async () => {
    const silent = new Tab(['a']);
    silent.token = () => 'never';
    silent.isFrozen = true;
    const other = new Tab(['a']);
    other.token = () => 'token';
    other.join(session);
    silent.join(session);
    await clock.advance(10_100);
    expect(hub.requests.map(({ token }) => token)).toEqual(['token']);
  });

  test('a function that fails is asked again later', async () => {
    let given: string | null = null;
    const tab = await openTab(['a'], () => given);
    expect(tab.errors).toMatchObject([{ code: 'token', fatal: false }]);
    await clock.advance(60_000);
    expect([tab.errors.length, hub.requests.length]).toEqual([1, 0]);
    given = 'token';
    await clock.advance(31_000);
    expect(tab.status.state).toBe('open');
  });
});

describe('another token', () => {
  const shown = () => hub.requests.map(({ token }) => token);
  const set = async (tab: Tab, token: NonNullable<Tab['token']>) => {
    tab.setToken(token);
    await clock.advance(100);
  };

  test('a function in the place of a plain token, or of none, is asked at once, and when its token expires', async () => {
    for (const first of [undefined, 'plain']) {
      hub.requests = [];
      session = newSession();
      const tab = await openTab(['a'], first);
      let n = 0;
      await set(tab, () => `token-${(n += 1)}`);
      hub.say('event: corecast.expiring\ndata: {"seconds":30}\n\n');
      await clock.advance(100);
      expect([shown(), tab.asked]).toEqual([[first ?? '', 'token-1', 'token-2'], ['start', 'expiring']]);
      tab.leave();
    }
  });

  test('a plain one in the place of a function is shown at once', async () => {
    const tab = await openTab(['a'], () => 'given');
    await set(tab, 'plain');
    expect([shown(), tab.asked]).toEqual([['given', 'plain'], ['start']]);
  });

  test('of several tabs\u2019 plain tokens the newest counts, whichever tab has it', async () => {
    const tabs = [await openTab(['a'], 'one'), await openTab(['a'], 'one')];
    for (const tab of tabs) await set(tab, 'two');
    expect(shown()).toEqual(['one', 'two']);
    if (tabs[0]) await set(tabs[0], 'three');
    hub.dropAll();
    await clock.advance(1100);
    expect(shown()).toEqual(['one', 'two', 'three', 'three']);
  });

  test('one that comes before the first answer is shown all the same', async () => {
    const { fetch, ...env } = fakeEnv(clock, hub, random);
    const slow = (url: string, init: RequestInit) => new Promise<void>((go) => clock.after(1000, go)).then(() => fetch(url, init));
    session = new Session({ ...env, fetch: slow }, CONFIG, 'worker');
    const tab = await openTab(['a']);
    await set(tab, 'token');
    await clock.advance(2000);
    expect([...hub.streams].map(({ token }) => token)).toEqual(['token']);
  });

  test('whoever comes when all have gone is asked for a token of his own', async () => {
    const alice = await openTab(['a'], () => 'alice');
    alice.leave();
    const bob = await openTab(['a'], () => 'bob');
    expect([shown(), bob.asked]).toEqual([['alice', 'bob'], ['start']]);
  });

  test('one that is set again changes nothing', async () => {
    const tab = await openTab(['a'], 'token');
    await set(tab, 'token');
    const other = await openTab(['a'], () => 'given');
    await set(other, () => 'given');
    expect(shown()).toEqual(['token']);
  });
});

describe('a token function that has none', () => {
  test('is told once and not asked again, until somebody acts', async () => {
    let given = '';
    const tab = await openTab(['a'], () => given);
    await clock.advance(3600_000);
    expect(tab.errors).toMatchObject([{ code: 'token', fatal: true }]);
    expect([tab.asked, hub.requests, tab.status.state]).toEqual([['start'], [], 'stopped']);
    given = 'token';
    tab.say({ t: 'open' });
    await clock.advance(100);
    expect([tab.status.state, tab.errors.length]).toEqual(['open', 1]);
  });

  test('costs nothing where another tab has one', async () => {
    const without = new Tab(['a']);
    without.token = () => '';
    const other = new Tab(['a']);
    other.token = () => 'token';
    other.join(session);
    without.join(session);
    await clock.advance(100);
    expect([other.status.state, without.errors]).toEqual(['open', []]);
  });

  test('after a refusal it is the refusal that is told', async () => {
    hub.answer = () => refusal(401);
    const tab = await openTab(['a'], (reason) => (reason === 'refused' ? '' : 'old'));
    expect(tab.errors).toMatchObject([{ code: 'unauthorized', fatal: true }]);
    expect(tab.asked).toEqual(['start', 'refused']);
  });
});

describe('evicted', () => {
  const evict = async () => {
    hub.say('event: corecast.evicted\nretry: 86400000\ndata: {}\n\n');
    hub.endAll();
    await settled();
  };

  test('it stays away', async () => {
    const tab = await openTab(['a']);
    await evict();
    await clock.advance(86_400_000);
    expect(hub.requests).toHaveLength(1);
    expect(tab.types()).toEqual(['corecast.evicted']);
    expect(tab.status).toMatchObject({ state: 'stopped', reason: 'evicted' });
  });

  test('somebody acts: it comes back at once, under another name', async () => {
    const tab = await openTab(['a']);
    await evict();
    tab.say({ t: 'open' });
    await clock.advance(100);
    expect(tab.status.state).toBe('open');
    expect(hub.requests[1]?.clientId).not.toBe(hub.requests[0]?.clientId);
    expect(hub.requests[1]?.clientId).toBe(tab.clientId);
  });

  test('somebody acts, and the first attempt fails: the next does not wait for the day that the hub told it to stay away', async () => {
    const tab = await openTab(['a']);
    await evict();
    hub.answer = () => refusal(503);
    tab.say({ t: 'open' });
    await clock.advance(100);
    expect(tab.errors).toMatchObject([{ code: 'unavailable' }]);
    hub.answer = () => undefined;
    await clock.advance(31_000);
    expect(tab.status.state).toBe('open');
  });

  test('a new tab is somebody who acts', async () => {
    const tab = await openTab(['a']);
    await evict();
    await openTab(['a']);
    expect(tab.status.state).toBe('open');
  });

  test('shown again after a while, it comes back', async () => {
    const tab = await openTab(['a']);
    await evict();
    const show = async () => {
      tab.say({ t: 'hidden', hidden: true });
      tab.say({ t: 'hidden', hidden: false });
      await clock.advance(100);
    };
    await show();
    expect(tab.status.state).toBe('stopped');
    await clock.advance(30_000);
    await show();
    expect(tab.status.state).toBe('open');
  });

  test('a new leader knows it', async () => {
    const tab = await openTab(['a']);
    await evict();
    tab.orphan();
    session = newSession(1);
    tab.join(session);
    await clock.advance(60_000);
    expect(hub.requests).toHaveLength(1);
    expect(tab.status).toMatchObject({ state: 'stopped', reason: 'evicted' });
  });
});

describe('hidden tabs', () => {
  test('the stream ends when the last has been hidden for long enough, and goes on where it was', async () => {
    const patient = new Tab(['a']).join(session, { hiddenMaxMs: 60_000 });
    const impatient = new Tab(['a']).join(session, { hiddenMaxMs: 1000 });
    await clock.advance(100);
    for (const tab of [patient, impatient]) tab.say({ t: 'hidden', hidden: true });
    await clock.advance(59_000);
    expect(hub.streams.size).toBe(1);
    await clock.advance(1200);
    expect(hub.streams.size).toBe(0);
    expect(patient.status.state).toBe('paused');
    hub.publish('a', 'meanwhile');
    impatient.say({ t: 'hidden', hidden: false });
    await clock.advance(100);
    expect(impatient.data).toEqual(['meanwhile']);
  });

  test('one that always needs the stream keeps it', async () => {
    new Tab(['a']).join(session, { hiddenMaxMs: 1000, hidden: true });
    new Tab(['a']).join(session, { hidden: true });
    await clock.advance(3600_000 / 90);
    expect(hub.streams.size).toBe(1);
  });
});

describe('tabs that do not keep up', () => {
  test('a frozen one costs no more than its window, and reads on from the ring', async () => {
    const frozen = await openTab(['a']);
    const other = await openTab(['a']);
    frozen.isFrozen = true;
    for (let n = 0; n < 900; n += 1) {
      hub.publish('a');
      if (n % 100 === 0) await settled();
    }
    await settled();
    const underWay = frozen.queue.reduce((sum, message) => sum + (message.t === 'events' ? message.events.length : 0), 0);
    expect(underWay).toBeLessThanOrEqual(512);
    frozen.thaw();
    await settled();
    expect(frozen.data).toEqual(other.data);
    expect(frozen.data).toHaveLength(900);
  });

  test('one that reads a moment later is waited for, however much comes in one go', async () => {
    const tabs = [await openTab(['a']), await openTab(['a'])];
    hub.dropAll();
    for (let n = 0; n < 5000; n += 1) hub.publish('a');
    const reading = tabs.map(async (tab) => {
      while (tab.data.length < 5000) {
        tab.isFrozen = true;
        await clock.advance(100);
        tab.thaw();
      }
    });
    await Promise.all(reading);
    for (const tab of tabs) expect(tab.types()).not.toContain('corecast.gap');
  });

  test('one that falls off the ring is told what it missed, and holds the others up once', async () => {
    const frozen = await openTab(['a']);
    const other = await openTab(['a']);
    frozen.isFrozen = true;
    for (let n = 0; n < 3000; n += 1) {
      hub.publish('a');
      if (n % 100 === 0) await settled();
    }
    await clock.advance(999);
    expect(other.data.length).toBeLessThan(1000);
    await clock.advance(1);
    expect(other.data).toHaveLength(3000);
    frozen.thaw();
    await settled();
    const gap = frozen.seen.find(({ type }) => type === 'corecast.gap');
    expect(JSON.parse(gap?.data ?? '{}')).toMatchObject({ from: idOf(512), to: idOf(2000) });
    expect(frozen.data).toHaveLength(512 + 1000);
    expect(frozen.data.at(-1)).toBe('3000');
  });

  test('one that was away comes back to where it was', async () => {
    const away = await openTab(['a']);
    await openTab(['a']);
    hub.publish('a', 'one');
    await settled();
    away.leave();
    hub.publish('a', 'two');
    await clock.advance(60_000 - 20_000);
    away.join(session);
    hub.publish('a', 'three');
    await clock.advance(100);
    expect(away.data).toEqual(['one', 'two', 'three']);
    expect(hub.requests).toHaveLength(1);
  });

  test('one that comes back to more than its window gets a window first', async () => {
    const [away] = [await openTab(['a']), await openTab(['a'])];
    hub.publish('a');
    await settled();
    away.leave();
    for (let n = 0; n < 800; n += 1) hub.publish('a');
    await settled();
    away.isFrozen = true;
    away.join(session);
    await settled();
    expect(away.queue.map((message) => (message.t === 'events' ? message.events.length : 0))).toContain(512);
    away.thaw();
    await settled();
    expect(away.data).toEqual(hub.log.map(({ data }) => data));
  });

  test('one whose topic nobody else had meanwhile is told of the gap', async () => {
    const away = await openTab(['b']);
    await openTab(['a']);
    away.leave();
    await clock.advance(6000);
    hub.publish('b', 'lost');
    hub.publish('a', 'other');
    await clock.advance(100);
    away.join(session);
    await clock.advance(100);
    expect(away.types()).toContain('corecast.gap');
  });

  test('the only tab goes on at the hub', async () => {
    const tab = await openTab(['a']);
    hub.publish('a', 'one');
    await settled();
    tab.leave();
    hub.publish('a', 'two');
    tab.join(session);
    await clock.advance(100);
    expect(tab.data).toEqual(['one', 'two']);
  });
});

describe('a new leader', () => {
  test('begins where the last of its tabs stands', async () => {
    const tabs = [await openTab(['a']), await openTab(['a']), await openTab(['a'])];
    hub.publish('a', 'one');
    await settled();
    const [slow, , last] = tabs;
    if (slow) slow.isFrozen = true;
    hub.publish('a', 'two');
    await settled();
    for (const tab of tabs) tab.orphan();
    session.close();
    if (slow) [slow.queue, slow.isFrozen] = [[], false];
    hub.publish('a', 'three');
    session = newSession(2);
    slow?.join(session);
    await clock.advance(100);
    expect(hub.streams.size).toBe(0);
    last?.join(session);
    await clock.advance(100);
    for (const tab of [slow, last]) expect(tab?.data).toEqual(['one', 'two', 'three']);
    expect([slow?.inbox.duplicates, last?.inbox.duplicates]).toEqual([0, 1]);
  });

  test.each([[['a'], false], [['a', 'b'], true]])('a tab that is ahead, and wants %s, sees nothing twice', async (wishes, hasGap) => {
    const [slow, ahead] = [await openTab(['a']), await openTab(wishes)];
    hub.publish('a');
    await settled();
    slow.orphan();
    // More than a tab remembers.
    for (let n = 0; n < 300; n += 1) hub.publish('a');
    await settled();
    ahead.orphan();
    session.close();
    hub.answer = () => new TypeError('unreachable');
    session = newSession();
    slow.join(session);
    await clock.advance(100);
    ahead.join(session);
    await clock.advance(100);
    hub.answer = () => undefined;
    hub.publish('a');
    await clock.advance(31_000);
    expect(ahead.data).toEqual(hub.log.map(({ data }) => data));
    expect(ahead.types().includes('corecast.gap')).toBe(hasGap);
  });

  test('does not wait for ever for a tab that it was told of', async () => {
    session = newSession(3);
    const tab = new Tab(['a']).join(session);
    await clock.advance(600);
    expect(tab.status.state).toBe('open');
  });
});
