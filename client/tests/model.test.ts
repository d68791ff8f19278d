// Random tabs, topics, drops, freezes and leaders: every tab sees every event once and in order, as long as it is there.
//
// The oracle is the hub's log. From the moment a tab's session has its topics, the tab is owed each event of them. Of what
// others' topics bring it gets nothing where the hub tells topics; where it does not, that is no harm, and in order, too.

import { expect, test } from 'vitest';

import { Session } from '../src/session.ts';
import { Random } from './random.ts';
import { CONFIG, Tab } from './tab.ts';
import { Clock, FakeHub, fakeEnv } from './world.ts';

const TOPICS = ['a', 'b', 'c', 'd'];

/** What a tab may ask for. */
const WISHES = [...TOPICS, '*'];

/** An event to all. */
const ALL = '';

/** The topics that a tab is owed which asks for these. */
const owedBy = (wishes: string[]) => [ALL, ...(wishes.includes('*') ? TOPICS : wishes)];

/** Long enough for every change and every reconnection to be done. */
const REST_MS = 120_000;

interface Owed {
  tab: Tab;
  /** Positions from which on it is owed, by topic. */
  since: Map<string, number>;
}

class World {
  readonly random: Random;
  readonly clock = new Clock();
  readonly hub: FakeHub;
  session: Session;
  /** The session can no longer reach the hub, nor be told by it: another has its place. */
  #end = () => {};
  /** Leaders that woke, and of them those that were told of no gap. */
  woken = 0;
  wokenWhole = 0;
  owed: Owed[] = [];
  steps: string[] = [];

  constructor(seed: number) {
    this.random = new Random(seed);
    this.hub = new FakeHub(this.random);
    this.hub.retryMs = 1 + this.random.below(3000);
    this.hub.tellsTopics = seed % 3 > 0;
    this.session = this.#newSession(0);
  }

  #newSession(expected: number): Session {
    const env = fakeEnv(this.clock, this.hub, this.random);
    let isOver = false;
    this.#end = () => (isOver = true);
    const { fetch } = env;
    env.fetch = (url, init) => (isOver ? new Promise(() => {}) : fetch(url, init));
    return new Session(env, { ...CONFIG, silenceMs: 1e9 }, 'host', undefined, expected, 500);
  }

  async step(): Promise<void> {
    const { random, hub } = this;
    const kind = random.below(100);
    this.steps.push(String(kind));
    if (kind < 50) for (let n = random.below(5); n >= 0; n -= 1) hub.publish(random.pick([...TOPICS, ALL]));
    else if (kind < 58) await this.#join();
    else if (kind < 62) this.#leave();
    else if (kind < 70) await this.#changeTopics();
    else if (kind < 78) hub.dropAll();
    else if (kind < 81) hub.endAll();
    else if (kind < 84) this.#breakHub();
    else if (kind < 88) this.#freezeOrThaw();
    else if (kind < 90) await this.#changeLeader();
    else if (kind < 94) await this.#hangLeader();
    else await this.clock.advance(random.below(2000));
  }

  async #join(): Promise<void> {
    if (this.owed.length === 6) return;
    const tab = new Tab([this.random.pick(WISHES)]).join(this.session);
    await this.#settle();
    this.owed.push({ tab, since: new Map(owedBy(tab.topics).map((topic) => [topic, this.hub.log.length])) });
  }

  #leave(): void {
    const gone = this.owed.splice(this.random.below(this.owed.length), 1)[0];
    if (gone) this.check(gone, false);
    gone?.tab.leave();
  }

  async #changeTopics(): Promise<void> {
    const owed = this.random.pick(this.owed);
    if (!owed || owed.tab.isFrozen) return;
    const wishes = WISHES.filter((wish) => this.random.chance(wish === '*' ? 0.1 : 0.5));
    owed.tab.setTopics(wishes);
    const topics = owedBy(wishes);
    for (const topic of owed.since.keys()) if (!topics.includes(topic)) owed.since.delete(topic);
    await this.#settle();
    for (const topic of topics) if (!owed.since.has(topic)) owed.since.set(topic, this.hub.log.length);
  }

  #breakHub(): void {
    this.hub.answer = () => new TypeError('unreachable');
    this.hub.dropAll();
    this.clock.after(this.random.below(15_000), () => (this.hub.answer = () => undefined));
  }

  #freezeOrThaw(): void {
    const owed = this.random.pick(this.owed);
    if (owed?.tab.isFrozen) owed.tab.thaw();
    else if (owed) owed.tab.isFrozen = true;
  }

  /** The leader's tab goes; what was on its way to others may be lost. */
  async #changeLeader(): Promise<void> {
    this.#leave();
    for (const { tab } of this.owed) {
      tab.orphan();
      tab.queue = [];
      tab.isFrozen = false;
    }
    this.session.close();
    this.session = this.#newSession(this.owed.length);
    for (const { tab } of this.owed) {
      tab.join(this.session);
      if (this.random.chance(0.5)) await this.clock.advance(10);
    }
    await this.#settle();
  }

  /** The leader's tab runs nothing until another has its place, and then becomes one of the others. */
  async #hangLeader(): Promise<void> {
    const leader = this.owed[0];
    if (!leader || leader.tab.isFrozen || this.owed.length < 2) return;
    const old = this.session;
    leader.tab.orphan();
    for (let n = this.random.below(5); n > 0; n -= 1) this.hub.publish(this.random.pick(TOPICS));
    this.#end();
    this.session = this.#newSession(this.owed.length);
    for (const { tab } of this.owed.slice(1)) {
      tab.orphan();
      tab.queue = [];
      tab.isFrozen = false;
      tab.join(this.session);
    }
    await this.#settle();
    for (let n = this.random.below(5); n > 0; n -= 1) this.hub.publish(this.random.pick(TOPICS));
    old.close();
    const seen = leader.tab.seen.length;
    leader.tab.join(this.session);
    await this.#settle();
    this.woken += 1;
    if (leader.tab.types().lastIndexOf('corecast.gap') < seen) {
      this.wokenWhole += 1;
    } else {
      // Nobody else wanted its topics, and it has been told so.
      this.check(leader, false);
      this.owed.shift();
      leader.tab.leave();
    }
  }

  /** Until the stream has the topics of all: before that nobody is owed what is new to him. */
  async #settle(): Promise<void> {
    this.hub.answer = () => undefined;
    await this.clock.advance(REST_MS);
  }

  async end(): Promise<void> {
    await this.#settle();
    for (const { tab } of this.owed) if (tab.isFrozen) tab.thaw();
    await this.clock.advance(1000);
    for (const owed of this.owed) this.check(owed, true);
  }

  check({ tab, since }: Owed, isComplete: boolean): void {
    const positions = tab.data.map(Number);
    for (let n = 1; n < positions.length; n += 1) {
      expect(positions[n], `${tab.name} in order and once`).toBeGreaterThan(positions[n - 1] ?? 0);
    }
    if (this.hub.tellsTopics) expect(tab.strays, `${tab.name} alone`).toEqual([]);
    if (!isComplete) return;
    expect(tab.types(), tab.name).not.toContain('corecast.gap');
    const seen = new Set(positions);
    const missed = this.hub.log.filter(({ topic, position }) => position > (since.get(topic) ?? Infinity) && !seen.has(position));
    expect(missed, tab.name).toEqual([]);
  }
}

test('every tab sees every event once and in order', { timeout: 180_000 }, async () => {
  let events = 0;
  let reconnects = 0;
  let woken = 0;
  let wokenWhole = 0;
  for (let seed = 1; seed <= 300; seed += 1) {
    const world = new World(seed);
    try {
      for (let step = 0; step < 60; step += 1) await world.step();
      await world.end();
    } catch (error) {
      throw new Error(`seed ${seed}, steps ${world.steps.join(' ')}`, { cause: error });
    }
    events += world.owed.reduce((sum, { tab }) => sum + tab.data.length, 0);
    reconnects += world.hub.requests.length;
    woken += world.woken;
    wokenWhole += world.wokenWhole;
  }
  expect(events).toBeGreaterThan(12_000);
  expect(reconnects).toBeGreaterThan(2000);
  expect([woken > 100, wokenWhole > 30], `${wokenWhole} of ${woken}`).toEqual([true, true]);
});
