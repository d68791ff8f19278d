// The real hub as a test's own process, and an application's backend that publishes to it.
//
// The binary is CORECAST_BIN; scripts/test sets it.

import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { eventually, withDeadline } from './wait.mjs';

const HMAC_KEY = 'a-key-that-only-tests-know-0123456789abcdefghijklmnopqrstuvwxyz-';

const USUAL = {
  'hub.listen': '127.0.0.1:0',
  'hub.shards': 2,
  'admin.listen': '127.0.0.1:0',
  'auth.hmac_key': HMAC_KEY,
  'auth.anonymous': true,
  // Short, so that clients come back while somebody watches; between this and twice this.
  'stream.retry': '100ms',
};

/** Starts a hub; it ends, and its files go, when the test `t` does. */
export async function startHub(t, settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'corecast-'));
  const hub = new Hub(folder, { ...USUAL, ...settings });
  t.after(async () => {
    await hub.kill();
    await rm(folder, { recursive: true });
  });
  await hub.start();
  return hub;
}

/** Starts `corecast dev`, and gives the address of its page; it ends when the test `t` does. */
export async function startDemo(t) {
  const child = spawn(binaryPath(), ['dev', '--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  t.after(() => {
    child.kill('SIGKILL');
    return ended;
  });
  const url = new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const page = /^ *page +(http\S+)/.exec(line)?.[1];
      if (page) resolve(page);
    });
    ended.then((why) => reject(new Error(`the demo hub ended: ${why}`)));
  });
  return { url: await withDeadline(url, 'the demo hub says where its page is') };
}

function binaryPath() {
  const binary = process.env.CORECAST_BIN;
  if (!binary) throw new Error('CORECAST_BIN is not set: run scripts/test, or build the hub and name its binary');
  return binary;
}

function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function canListen({ hostname, port }) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(Number(port), hostname, () => server.close(() => resolve(true)));
  });
}

class Hub {
  constructor(folder, settings) {
    this.config = join(folder, 'corecast.toml');
    this.settings = settings;
    this.publisher = token({ publish: ['*', 'corecast:users/{user}', 'corecast:all'] });
  }

  async start() {
    // JSON spells strings, numbers, booleans and arrays as TOML does.
    const lines = Object.entries(this.settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
    await writeFile(this.config, lines.join(''));
    this.child = spawn(binaryPath(), ['serve', '--log-format', 'json', '--config', this.config], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.ended = new Promise((resolve) => {
      this.child.once('exit', resolve);
      this.child.once('error', resolve);
    });
    const { hub, admin } = await withDeadline(this.listening(), 'the hub listens');
    this.url = `http://${hub}`;
    this.admin = `http://${admin}`;
    // Started again it is to be found where it was.
    this.settings['hub.listen'] = hub;
  }

  /** The log line that says which addresses were bound. */
  listening() {
    const log = [];
    return new Promise((resolve, reject) => {
      createInterface({ input: this.child.stderr }).on('line', (line) => {
        log.push(line);
        const record = parsed(line);
        if (record?.message === 'listening') resolve(record);
      });
      this.ended.then((why) => reject(new Error(`the hub ended: ${why}\n${log.join('\n')}`)));
    });
  }

  async kill() {
    this.child?.kill('SIGKILL');
    await this.ended;
  }

  /** Kills it and starts it again on the same port. */
  async restart() {
    await this.kill();
    // The kernel takes a ring's sockets down behind the process that had it: for a moment the port is still taken.
    await eventually('the port is free', () => canListen(new URL(this.url)));
    await this.start();
  }

  /** The address of a stream; `query` is an object of strings and arrays of them. */
  events(query = {}) {
    const url = new URL('/events', this.url);
    for (const [name, value] of Object.entries(query)) {
      for (const item of [value].flat()) url.searchParams.append(name, item);
    }
    return url.href;
  }

  /** Publishes an event and gives its id. */
  async publish(event) {
    const answer = await fetch(new URL('/publish', this.url), {
      method: 'POST',
      // On a connection of its own: one that is kept may lead to a hub that was killed a moment ago.
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${this.publisher}`, Connection: 'close' },
      body: JSON.stringify(event),
    });
    const body = await answer.text();
    if (!answer.ok) throw new Error(`${answer.status}: ${body}`);
    return JSON.parse(body).id;
  }

  /** The sum of a metric over all its labels. */
  async metric(name) {
    return (await this.metrics(name))[0];
  }

  /** Such sums of several metrics, all of one scrape. */
  async metrics(...names) {
    const page = await (await fetch(new URL('/metrics', this.admin))).text();
    const lines = page.split('\n');
    return names.map((name) => {
      const samples = lines.filter((line) => line.split(/[{ ]/, 1)[0] === name);
      return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    });
  }

  /** Waits, on a stream of its own, until the hub has sent `count` heartbeats. */
  async heartbeats(count) {
    const controller = new AbortController();
    const answer = await fetch(this.events({ topic: 'silence' }), { signal: controller.signal });
    const decoder = new TextDecoder();
    let text = '';
    // The first comment opens the stream.
    const isEnough = () => text.split('\n').filter((line) => line === ':').length > count;
    for await (const bytes of answer.body) {
      text += decoder.decode(bytes, { stream: true });
      if (isEnough()) break;
    }
    controller.abort();
  }
}

/** A token as the application's backend would mint it, for an hour. */
export function token({ user, subscribe = [], publish = [], lifetime = 3600 }) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + lifetime;
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: user, exp, corecast: { subscribe, publish } })}`;
  return `${signed}.${createHmac('sha256', HMAC_KEY).update(signed).digest('base64url')}`;
}
