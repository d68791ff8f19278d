// A hub for the page to look at: it speaks the admin API of docs, changes as time goes by, and does what a test tells it
// to: ask for a token, drain, be lost, start again, have users with hostile names.
//
// `node tests/dashboard/mock_hub.mjs [PORT]` serves the page beside a busy one. Not here: the API's own rules, which
// the hub's tests hold it to.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const ASSETS = new URL('../../server/assets/dashboard/', import.meta.url);
const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/dashboard.js': ['dashboard.js', 'text/javascript; charset=utf-8'],
  '/dashboard.css': ['dashboard.css', 'text/css; charset=utf-8'],
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:";

/** Names that would run, break out, or hide if anybody took them for markup. */
export const HOSTILE_USERS = [
  '<img src=x onerror="window.pwned=1">',
  '"><script>window.pwned=1</script>',
  "alice' onmouseover='window.pwned=1",
  '\u202Eevil\u202C 😀',
  'user-with-a-name-that-goes-on-and-on-'.repeat(6),
];
export const HOSTILE_TOPIC = '<svg onload="window.pwned=1">{/path*}{?a,b}';

const SHARDS = 4;
const STREAMS_MAX = 10_000;
const DEFAULTS = { isBusy: true, intervalMs: 1000, connections: 1240, dryRun: false, log: true, token: null };

/** Same numbers on every run. */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export class MockHub {
  /** Requests that changed something, oldest first: `{ method, path, body }`. */
  changes = [];
  /** What the debugger published: `{ body, authorization }`. */
  published = [];
  level = 'info';

  constructor(settings = {}) {
    this.settings = { ...DEFAULTS, ...settings };
    this.begin();
  }

  /** A fresh run: everything counted since the start begins again. */
  begin() {
    this.random = randomNumbers(7);
    this.now = this.now ?? Date.now();
    this.startedAt = this.now - 3000 * 1000;
    this.state = 'running';
    this.drained = null;
    this.totals = {};
    this.closes = { peer_gone: 18_203, evicted: 412, replaced: 96, dead_peer: 31, token_expired: 12, slow_consumer: 4 };
    this.refusals = { connection_limit: 0, user_limit: 57, address_limit: 3 };
    this.would = this.settings.dryRun ? { user_limit: 210, evicted: 34 } : {};
    this.shards = Array.from({ length: SHARDS }, () => ({ deliveries: 9e6, bytes: 2e9, turns: 4e5 }));
    this.rows = this.makeRows();
    this.live = new Set();
    this.debuggers = new Set();
    this.lastId = 4000;
  }

  makeRows() {
    return Array.from({ length: this.settings.connections }, (_, index) => {
      const anonymous = index % 11 === 10;
      const behind = index % 97 === 5;
      return {
        id: `${index % SHARDS}-${index}-1`,
        shard: index % SHARDS,
        state: 'streaming',
        user: anonymous ? null : (HOSTILE_USERS[index] ?? `user-${Math.floor(index / 2)}`),
        anonymous,
        address: index % 5 === 0 ? `[2001:db8::${(index + 1).toString(16)}]:${50_000 + index}` : `10.1.${index >> 8}.${index & 255}:${50_000 + index}`,
        age_seconds: (index * 7919) % 86_400 + this.random(),
        silence_seconds: ((index * 31) % 150) / 10,
        bytes: (index * 104_729) % 9_000_000,
        lag_events: behind ? 10 + index : 0,
        expires: anonymous ? null : new Date(Date.now() + 3_600_000).toISOString(),
        topics: ['prices/{symbol}', index % 3 === 0 ? 'news' : `orders/${index}`, ...(index === 0 ? [HOSTILE_TOPIC] : [])],
      };
    });
  }

  async listen(port = 0) {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch((error) => {
        if (!response.headersSent) response.writeHead(500);
        response.end(String(error));
      });
    });
    await new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', resolve);
    });
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}/`;
    this.timer = setInterval(() => this.tick(), this.settings.intervalMs);
  }

  /** Gone, as after kill -9. */
  async lose() {
    clearInterval(this.timer);
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  /** Started again where it was, with everything counted from zero. */
  async comeBack() {
    this.begin();
    this.closes = { peer_gone: 2 };
    this.refusals = {};
    this.startedAt = this.now;
    this.shards.forEach((shard) => Object.assign(shard, { deliveries: 0, bytes: 0, turns: 0 }));
    await this.listen(this.port);
  }

  /** One second of the hub's life, told to who listens. */
  tick() {
    this.now += 1000;
    this.live_ms = (this.live_ms ?? 0) + 1000;
    this.countOn();
    if (this.drained !== null) this.drained.left = Math.max(0, this.drained.left - Math.ceil(this.drained.of / this.drained.over_seconds));
    const text = `event: sample\ndata: ${JSON.stringify(this.sample())}\n\n`;
    for (const response of this.live) response.write(text);
  }

  countOn() {
    const second = this.live_ms / 1000;
    const wave = 1 + 0.35 * Math.sin(second / 23) + 0.12 * Math.sin(second / 5);
    const burst = second % 90 > 70 ? 1.8 : 1;
    this.load = this.settings.isBusy ? wave * burst * (0.94 + 0.12 * this.random()) : 0;
    this.shards.forEach((shard, index) => {
      const deliveries = Math.round(38_000 * this.load * (0.85 + 0.1 * index));
      shard.deliveries += deliveries;
      shard.bytes += deliveries * 214;
      shard.turns += Math.round(2_400 * Math.min(1, this.load));
    });
    this.totals.published = (this.totals.published ?? 600_000) + Math.round(122 * this.load);
    if (this.settings.isBusy) {
      this.closes.peer_gone = (this.closes.peer_gone ?? 0) + Math.round(6 * this.random());
      if (this.random() > 0.6) this.closes.evicted = (this.closes.evicted ?? 0) + 1;
      if (this.random() > 0.9) this.refusals.user_limit = (this.refusals.user_limit ?? 0) + 1;
      if (this.settings.dryRun) this.would.user_limit += 1;
    }
  }

  sum(name) {
    return this.shards.reduce((sum, shard) => sum + shard[name], 0);
  }

  sample() {
    const streams = this.drained === null ? Math.round(this.rows.length * (7.2 + 0.2 * Math.sin((this.live_ms ?? 0) / 41_000))) : this.drained.left;
    const slow = this.settings.isBusy ? 11 + Math.round(4 * this.random()) : 0;
    const p50 = 0.8 + 0.9 * this.load * this.load;
    return {
      at: new Date(this.now).toISOString(),
      uptime_seconds: (this.now - this.startedAt) / 1000,
      state: this.state,
      version: '0.1.0',
      dry_run: this.settings.dryRun,
      streams,
      streams_max: STREAMS_MAX,
      connections: streams + 14,
      users: Math.round(streams * 0.81),
      totals: {
        deliveries: this.sum('deliveries'),
        bytes: this.sum('bytes'),
        accepted: 31_220,
        streams_opened: 28_760,
        heartbeats: 88_400,
        short_sends: 1_204,
        gaps: 7,
        resumes: 9_310,
        dead_peers: 31,
        ...this.totals,
      },
      closes: this.closes,
      refusals: this.refusals,
      would: this.would,
      latency: this.load > 0
        ? { p50_ms: p50, p90_ms: p50 * 2.1, p99_ms: p50 * (4 + 2 * this.random()), max_ms: p50 * (9 + 12 * this.random()), count: 120 }
        : null,
      shards: this.shards.map((shard, index) => ({
        shard: index,
        streams: Math.round(streams / SHARDS) + index - 2,
        connections: Math.round(streams / SHARDS) + index + 1,
        behind: index === 2 ? slow : 0,
        ...shard,
        history_events: 65_536,
      })),
      slow: { behind: slow, waiting_for_log: slow > 13 ? 1 : 0, most_lag_events: slow * 190 },
      history: { events: 65_536, bytes: 14_680_064 },
      sequencer_queue: this.settings.isBusy ? Math.round(5 * this.random()) : 0,
      log: this.settings.log
        ? { kind: 'file', state: 'healthy', bytes: 412_000_000 + this.totals.published * 10, segments: 7, append_p99_ms: 1.8 + this.random(), last_sync: new Date(this.now - 4).toISOString() }
        : null,
      memory: { resident_bytes: 41_943_040 },
      top_users: this.topUsers(),
      top_topics: [
        { selector: 'prices/{symbol}', subscribers: 7420 },
        { selector: 'news', subscribers: 2473 },
        { selector: HOSTILE_TOPIC, subscribers: 340 },
        ...Array.from({ length: 7 }, (_, index) => ({ selector: `orders/${index}`, subscribers: 96 - 11 * index })),
      ],
      survey_age_seconds: 2.4,
      drain: this.drained,
    };
  }

  topUsers() {
    const named = HOSTILE_USERS.slice(0, 4).map((user, index) => ({ user, anonymous: false, connections: 40 - 3 * index }));
    const usual = Array.from({ length: 5 }, (_, index) => ({ user: `user-${index + 20}`, anonymous: false, connections: 5 - index }));
    return [{ user: null, anonymous: true, connections: 112 }, ...named, ...usual];
  }

  drain() {
    const streams = this.sample().streams;
    this.state = 'draining';
    this.drained = { left: streams, of: streams, over_seconds: 30 };
  }

  async answer(request, response) {
    const url = new URL(request.url, this.url);
    const file = FILES[url.pathname];
    if (file !== undefined) {
      response.writeHead(200, { 'Content-Type': file[1], 'Content-Security-Policy': POLICY });
      response.end(await readFile(new URL(file[0], ASSETS)));
      return;
    }
    if (this.settings.token !== null && request.headers.authorization !== `Bearer ${this.settings.token}`) {
      response.setHeader('WWW-Authenticate', 'Bearer realm="corecast admin"');
      problem(response, 401, 'the admin API needs the token of [admin]');
      return;
    }
    const body = request.method === 'GET' ? undefined : await readJson(request);
    if (request.method !== 'GET' && request.headers['content-type'] !== 'application/json') {
      problem(response, 415, 'the body is no application/json');
      return;
    }
    if (request.method !== 'GET') this.changes.push({ method: request.method, path: url.pathname, body });
    const [, root, ...rest] = url.pathname.split('/');
    if (root === 'hub') this.answerDebugger(rest[0], url, request, response, body);
    else this.answerApi(request.method, rest.map(decodeURIComponent), url.searchParams, response, body);
  }

  answerApi(method, [name, id, more], query, response, body) {
    const routes = {
      'GET live': () => this.openStream(this.live, response, 'retry: 2000\n\n'),
      'GET hub': () => json(response, { version: '0.1.0', started: new Date(this.startedAt).toISOString(), uptime_seconds: 1, state: this.state, driver: 'uring', shards: SHARDS, listen: '0.0.0.0:8080', admin: `127.0.0.1:${this.port}`, pid: 4711, connections: { streams: 1, max: STREAMS_MAX, users: 1 }, dry_run: this.settings.dryRun }),
      'GET connections': () => (id === undefined ? this.listConnections(query, response) : this.oneConnection(id, response)),
      'DELETE connections': () => this.disconnect((row) => row.id === id, response),
      'DELETE users': () => this.disconnect((row) => row.user === id && more === 'connections', response),
      'POST disconnect': () => this.disconnect((row) => matches(row, body), response),
      'GET users': () => json(response, { users: this.topUsers().filter((row) => row.user?.startsWith(query.get('prefix') ?? '')), matched: 9, next: null }),
      'GET topics': () => json(response, { topics: this.sample().top_topics.filter((row) => row.selector.startsWith(query.get('prefix') ?? '')), matched: 9, next: null }),
      'GET config': () => json(response, CONFIG),
      'POST reload': () => json(response, this.reloaded ?? { applied: [{ setting: 'limits.per_user', from: 1, to: 3 }], needs_restart: ['hub.shards'] }, this.reloaded === undefined ? 200 : 422),
      'POST drain': () => {
        this.drain();
        json(response, { state: 'draining', over_seconds: 30 }, 202);
      },
      'GET log-level': () => json(response, { level: this.level }),
      'PUT log-level': () => this.setLevel(body, response),
    };
    const route = routes[`${method} ${name}`];
    if (route === undefined) problem(response, 404, 'there is no such thing here');
    else route();
  }

  setLevel({ level }, response) {
    if (!/^[a-z:_=,]+$/.test(level)) {
      problem(response, 422, `level = ${JSON.stringify(level)} is no directive such as info,corecast::shard=debug`, 'level');
      return;
    }
    this.level = level;
    json(response, { level });
  }

  listConnections(query, response) {
    const limit = Number(query.get('limit') ?? 100);
    const from = Number(query.get('cursor') ?? 0);
    const sort = { age: 'age_seconds', bytes: 'bytes', lag: 'lag_events', silence: 'silence_seconds' }[query.get('sort') ?? 'age'];
    const sign = query.get('order') === 'asc' ? 1 : -1;
    const rows = this.rows.filter((row) => matches(row, Object.fromEntries(query))).sort((a, b) => sign * (a[sort] - b[sort]));
    const next = from + limit < rows.length ? String(from + limit) : null;
    const connections = rows.slice(from, from + limit).map(({ topics: _, ...row }) => row);
    json(response, { connections, matched: rows.length, next, as_of: new Date(this.now).toISOString() });
  }

  oneConnection(id, response) {
    const row = this.rows.find((one) => one.id === id);
    if (row === undefined) problem(response, 404, `there is no connection ${id}`, 'id');
    else {
      const { topics, ...known } = row;
      json(response, { ...known, selectors: topics, grants: 2, framing: 'chunked', generation: 1 });
    }
  }

  disconnect(isMeant, response) {
    const before = this.rows.length;
    this.rows = this.rows.filter((row) => !isMeant(row));
    json(response, { disconnected: before - this.rows.length });
  }

  openStream(streams, response, text) {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    response.write(text);
    streams.add(response);
    response.on('close', () => streams.delete(response));
  }

  answerDebugger(what, url, request, response, body) {
    const authorization = request.headers['x-corecast-authorization'];
    if (what === 'events') {
      const resumed = url.searchParams.get('last_event_id');
      const topics = url.searchParams.getAll('topic');
      if (authorization === 'Bearer bad') {
        json(response, { error: 'token_malformed', message: 'the token is no JWT' }, 401);
        return;
      }
      response.topics = topics;
      this.openStream(this.debuggers, response, ':\n\n');
      if (resumed !== null) response.write(`event: corecast.gap\ndata: {"from":${JSON.stringify(resumed)},"to":"m1.${this.lastId}"}\n\n`);
    } else if (authorization === undefined) {
      json(response, { error: 'token_missing', message: 'publishing needs a token' }, 401);
    } else {
      const id = body.id ?? `m1.${(this.lastId += 1)}`;
      this.published.push({ body, authorization });
      this.send({ id, type: body.type, data: String(body.data) });
      json(response, { id });
    }
  }

  /** An event to everybody who debugs. */
  send({ id, type, data }) {
    const lines = data.split('\n').map((line) => `data: ${line}\n`).join('');
    for (const response of this.debuggers) response.write(`${type ? `event: ${type}\n` : ''}${id ? `id: ${id}\n` : ''}${lines}\n`);
  }

  endDebuggers() {
    for (const response of this.debuggers) response.end();
  }
}

function matches(row, wanted) {
  return (
    (wanted.user === undefined || row.user === wanted.user) &&
    (wanted.topic === undefined || row.topics.includes(wanted.topic)) &&
    (wanted.connection === undefined || row.id === wanted.connection) &&
    (wanted.address === undefined || row.address.replace(/:\d+$/, '').replace(/[[\]]/g, '') === wanted.address) &&
    (wanted.anonymous === undefined || row.anonymous) &&
    (wanted.behind === undefined || row.lag_events > 0) &&
    (wanted.state === undefined || row.state === wanted.state)
  );
}

const CONFIG = {
  hub: { listen: '0.0.0.0:8080', shards: 4, driver: 'auto' },
  admin: { listen: '127.0.0.1:9180', token: '(secret)' },
  auth: { hmac_key_file: '/etc/corecast/hmac.key', anonymous: false },
  limits: { connections: STREAMS_MAX, per_user: 1, per_user_policy: 'evict_oldest', per_ip: 0, event_bytes: 65_536 },
  stream: { heartbeat: '15s', retry: '3s', idle_timeout: '300s', dead_peer: '30s', max_age: 'off' },
  cors: { origins: ['https://app.example.com'] },
  sources: { 'hub.listen': 'file', 'hub.shards': 'environment', 'limits.per_user': 'file', 'limits.connections': 'default' },
};

function json(response, value, status = 200) {
  const type = status >= 400 && 'title' in value ? 'application/problem+json' : 'application/json';
  response.writeHead(status, { 'Content-Type': type }).end(JSON.stringify(value));
}

function problem(response, status, detail, field) {
  json(response, { type: 'about:blank', title: 'Error', status, detail, field }, status);
}

async function readJson(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return text === '' ? undefined : JSON.parse(text);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const hub = new MockHub({ dryRun: process.argv.includes('--dry-run') });
  await hub.listen(Number(process.argv[2] ?? 9181));
  console.log(hub.url);
}
