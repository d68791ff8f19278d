// A hub for the page to look at: it speaks the admin API, lives as `life.mjs` says, and does what a test tells it to: ask
// for a token, drain, be lost, start again.
//
// `node tests/dashboard/mock_hub.mjs [PORT]` serves the page beside a busy one. Not here: the API's own rules, which
// the hub's tests hold it to.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

import { Life, SHARDS, STREAMS_MAX } from './life.mjs';

const DEFAULTS = { intervalMs: 1000, token: null, livePlaces: 8 };

const ASSETS = new URL('../../server/assets/dashboard/', import.meta.url);
const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/dashboard.js': ['dashboard.js', 'text/javascript; charset=utf-8'],
  '/dashboard.css': ['dashboard.css', 'text/css; charset=utf-8'],
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";

export class MockHub extends Life {
  /** Requests that changed something, oldest first: `{ method, path, body }`. */
  changes = [];
  /** What the debugger published: `{ body, authorization }`. */
  published = [];
  level = 'info';
  /** Answers that are open: of the page's live stream, and of the debugger. */
  live = new Set();
  debuggers = new Set();
  lastId = 4000;

  constructor(settings = {}) {
    super({ ...DEFAULTS, ...settings });
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
    this.liveOn();
    const text = `event: sample\ndata: ${JSON.stringify(this.sample())}\n\n`;
    for (const response of this.live) response.write(text);
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
      'GET live': () => {
        if (this.live.size < this.settings.livePlaces) this.openStream(this.live, response, 'retry: 2000\n\n');
        else problem(response, 503, 'all places of live streams are taken');
      },
      'GET hub': () =>
        json(response, {
          version: '0.1.0',
          started: new Date(this.startedAt).toISOString(),
          uptime_seconds: 1,
          state: this.state,
          driver: 'uring',
          shards: SHARDS,
          listen: '0.0.0.0:8080',
          admin: `127.0.0.1:${this.port}`,
          pid: 4711,
          connections: { streams: 1, max: STREAMS_MAX, users: 1 },
          dry_run: this.settings.dryRun,
        }),
      'GET connections': () =>
        id === undefined ? this.listConnections(query, response) : this.oneConnection(id, response),
      'DELETE connections': () => this.disconnect((row) => row.id === id, response),
      'DELETE users': () => this.disconnect((row) => row.user === id && more === 'connections', response),
      'POST disconnect': () => this.disconnect((row) => matches(row, body), response),
      'GET users': () =>
        json(response, {
          users: this.topUsers().filter((row) => row.user?.startsWith(query.get('prefix') ?? '')),
          matched: 9,
          next: null,
        }),
      'GET topics': () =>
        json(response, {
          topics: this.sample().top_topics.filter((row) => row.selector.startsWith(query.get('prefix') ?? '')),
          matched: 9,
          next: null,
        }),
      'GET config': () => json(response, CONFIG),
      'POST reload': () =>
        json(
          response,
          this.reloaded ?? {
            applied: [{ setting: 'limits.per_user', from: '1', to: '3' }],
            needs_restart: [{ setting: 'hub.shards', from: '4', to: '8' }],
          },
          this.reloaded === undefined ? 200 : 422,
        ),
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
      problem(
        response,
        422,
        `level = ${JSON.stringify(level)} is no directive such as info,corecast::shard=debug`,
        'level',
      );
      return;
    }
    this.level = level;
    json(response, { level });
  }

  listConnections(query, response) {
    const limit = Number(query.get('limit') ?? 100);
    const from = Number(query.get('cursor') ?? 0);
    const sort = { age: 'age_seconds', bytes: 'bytes', lag: 'lag_events', silence: 'silence_seconds' }[
      query.get('sort') ?? 'age'
    ];
    const sign = query.get('order') === 'asc' ? 1 : -1;
    const rows = this.rows
      .filter((row) => matches(row, Object.fromEntries(query)))
      .sort((a, b) => sign * (a[sort] - b[sort]));
    const next = from + limit < rows.length ? String(from + limit) : null;
    const connections = rows.slice(from, from + limit).map(({ topics: _, ...row }) => row);
    json(response, { connections, matched: rows.length, next, as_of: new Date(this.now).toISOString() });
  }

  oneConnection(id, response) {
    const row = this.rows.find((one) => one.id === id);
    if (row === undefined) problem(response, 404, `there is no connection ${id}`, 'id');
    else {
      const { topics, ...known } = row;
      json(response, {
        ...known,
        selectors: topics,
        grants: row.anonymous ? [] : ['orders/{id}'],
        framing: 'chunked',
        visible_heartbeat: false,
      });
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
      if (resumed !== null)
        response.write(`event: corecast.gap\ndata: {"from":${JSON.stringify(resumed)},"to":"m1.${this.lastId}"}\n\n`);
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
    const lines = data
      .split('\n')
      .map((line) => `data: ${line}\n`)
      .join('');
    for (const response of this.debuggers)
      response.write(`${type ? `event: ${type}\n` : ''}${id ? `id: ${id}\n` : ''}${lines}\n`);
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
    (wanted.anonymous === undefined ? wanted.user === undefined || !row.anonymous : row.anonymous) &&
    (wanted.behind === undefined || row.lag_events > 0) &&
    (wanted.state === undefined || row.state === wanted.state)
  );
}

const CONFIG = {
  hub: { listen: '0.0.0.0:8080', shards: 4, driver: 'auto' },
  admin: { listen: '127.0.0.1:9180', token: '(secret)' },
  auth: { hmac_key: null, hmac_key_file: '/etc/corecast/hmac.key', anonymous: false },
  limits: { connections: STREAMS_MAX, per_user: 1, per_user_policy: 'evict_oldest', per_ip: 0, event_bytes: 65_536 },
  stream: { heartbeat: '15s', retry: '3s', idle_timeout: '300s', dead_peer: '30s', max_age: 'off' },
  cors: { origins: ['https://app.example.com'] },
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
