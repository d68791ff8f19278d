// A user with a browser: tabs that are opened, reloaded and closed, and a line to the hub that is lost now and then.
//
// A browser is an origin of its own (`user-7.localhost`): storage, workers, locks and channels are as apart as in two browsers,
// and the address of the user's own line has connections of its own. A context of Chromium's for each user would be a process
// and 70 MB for each.

import { setTimeout as pause } from 'node:timers/promises';

/** The end of a document that was there to the last. */
const SURVIVED = 'survived';

export class User {
  /** The lives of all documents that this user's tabs had: what each saw, from when to when. */
  lives = [];
  #tabs = [];
  #openTab;
  #line;
  #address;
  #gate;

  /** `openTab` opens a tab at an address; `gate` runs what costs the browser most, a few at a time. */
  constructor({ openTab, line, origin, name, way, token, gate }) {
    const { port } = new URL(origin);
    const listening = encodeURIComponent(JSON.stringify({ way, url: `${line.url}/events`, token }));
    this.#address = `http://${name}.localhost:${port}/#${listening}`;
    this.#openTab = openTab;
    this.#line = line;
    this.#gate = gate;
  }

  get tabs() {
    return this.#tabs.filter(Boolean).length;
  }

  /** Connections that this user's network has lost, and that the hub still has. */
  get standing() {
    return this.#line.standing;
  }

  async take(step) {
    switch (step.kind) {
      case 'open':
        return this.#gate(() => this.#open());
      case 'reload':
        return this.#gate(() => this.#reload(step.tab));
      case 'close':
        return this.#gate(() => this.#close(step.tab));
      case 'lose':
        return this.#lose(step.forMs);
      default:
        throw new Error(`no such step: ${step.kind}`);
    }
  }

  /** Whether every tab has had its stream. */
  async isOpen() {
    return (await this.#alive()).every(({ openedAt }) => openedAt !== null);
  }

  /** Whether every tab that was not told to stay away has seen the event `number`. */
  async hasSeen(number) {
    const lives = await this.#alive();
    return lives.every(({ evicted, runs }) => evicted > 0 || runs.at(-1)?.[1] === number);
  }

  /** Writes down the tabs that are there to the end. */
  async finish() {
    for (const life of await this.#alive()) this.#record(life, SURVIVED);
  }

  async #open() {
    this.#tabs.push(await this.#openTab(this.#address));
  }

  async #reload(tab) {
    const page = this.#tabs[tab];
    this.#record(await lifeOf(page), 'reload');
    await page.reload();
  }

  async #close(tab) {
    const page = this.#tabs[tab];
    this.#record(await lifeOf(page), 'close');
    this.#tabs[tab] = undefined;
    await page.close();
  }

  async #lose(forMs) {
    this.#line.lose();
    await pause(forMs);
    this.#line.mend();
    // A browser tells its pages so when it has a network again.
    await Promise.all(this.#pages().map((page) => page.evaluate(() => dispatchEvent(new Event('online')))));
  }

  #pages() {
    return this.#tabs.filter(Boolean);
  }

  #alive() {
    return Promise.all(this.#pages().map(lifeOf));
  }

  #record(life, end) {
    this.lives.push({ ...life, end, endedAt: Date.now() });
  }
}

const lifeOf = (page) => page.evaluate(() => window.life);
