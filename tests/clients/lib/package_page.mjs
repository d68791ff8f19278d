// Pages that use @corecast/client as it is built, and what a test asks of them.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createConnection, createServer as createTcpServer } from 'node:net';

import { eventually } from './wait.mjs';

const ASSETS = new URL('../../../server/assets/client/', import.meta.url);

const PAGE = '<!doctype html><title>page</title><script src="/client.js"></script>';

const TYPES = { js: 'text/javascript', mjs: 'text/javascript', map: 'application/json' };

/** A file of the package as it was built. */
export const built = (name) => readFile(new URL(name, ASSETS), 'utf8');

/** Serves pages and the package on an origin of its own; gives that. `without` are files that it does not have. */
export async function servePackage(t, { without = [], page = PAGE, other = {} } = {}) {
  const server = createServer(async (request, response) => {
    const name = request.url.slice(1).split('?')[0];
    if (other[name]) return other[name](request, response);
    if (/^client[\w.-]*$/.test(name)) {
      const bytes = without.includes(name) ? undefined : await readFile(new URL(name, ASSETS)).catch(() => undefined);
      if (!bytes) return response.writeHead(404).end();
      // To pages of any origin, as the hub does.
      const head = { 'Content-Type': TYPES[name.split('.').at(-1)], 'Access-Control-Allow-Origin': '*' };
      return response.writeHead(200, head).end(bytes);
    }
    response.writeHead(200, { 'Content-Type': 'text/html' }).end(page);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** A network between browsers and the hub that a test can cut. */
export async function startCutter(t, target) {
  const { hostname, port } = new URL(target);
  const sockets = new Set();
  const cutter = { isCut: false, accepted: 0 };
  const server = createTcpServer((near) => {
    cutter.accepted += 1;
    const far = createConnection(Number(port), hostname);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    if (cutter.isCut) return near.destroy();
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  cutter.url = `http://127.0.0.1:${server.address().port}`;
  cutter.cut = () => {
    cutter.isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  /** Bytes stop, and nobody is told. */
  cutter.silence = () => {
    for (const socket of sockets) socket.pause();
  };
  cutter.mend = () => {
    cutter.isCut = false;
    for (const socket of sockets) socket.resume();
  };
  t.after(() => {
    cutter.cut();
    server.close();
  });
  return cutter;
}

/** What makes a browser one that lacks something. */
export const LACKS = {
  sharedWorker: 'delete window.SharedWorker;',
  locks: "Object.defineProperty(Navigator.prototype, 'locks', { get: () => undefined });",
  firstAnswer: `const Real = window.SharedWorker;
    window.SharedWorker = function () { window.SharedWorker = Real; return { port: new MessageChannel().port1 }; };`,
  storage: "for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, { get() { throw new DOMException('no', 'SecurityError'); } });",
};

/** Runs before a page's own scripts, each time it is loaded: connects as told, and writes down what comes. */
function begin({ options, token }) {
  if (!window.corecast) return;
  window.seen = [];
  window.notices = [];
  if (token) options.token = token.startsWith('call:') ? (reason) => window[token.slice(5)](reason) : token;
  const connection = window.corecast.connect(options);
  window.connection = connection;
  connection.on('*', ({ type, data, id }) => window.seen.push({ type, data, id }));
  for (const type of ['error', 'warning']) connection.on(`corecast.${type}`, (notice) => window.notices.push({ type, ...notice }));
}

export class PackageTab {
  constructor(page, args) {
    this.page = page;
    this.args = args;
  }

  /** Opens a tab in a browser's `context`. `lacks` names what it lacks; `functions` are there for a token: `call:name`. */
  static async open(context, origin, options, { token, lacks = [], functions = {} } = {}) {
    const page = await context.newPage();
    for (const lack of lacks) await page.addInitScript(LACKS[lack]);
    for (const [name, run] of Object.entries(functions)) await page.exposeFunction(name, run);
    const tab = new PackageTab(page, { options, token });
    await page.goto(origin);
    await tab.begin();
    return tab;
  }

  async begin() {
    await this.page.evaluate(begin, this.args);
  }

  async reload() {
    await this.page.reload();
    await this.begin();
  }

  stats() {
    return this.page.evaluate(() => window.connection.stats());
  }

  notices() {
    return this.page.evaluate(() => window.notices);
  }

  seen() {
    return this.page.evaluate(() => window.seen);
  }

  /** The data of events, without the hub's own. */
  async data() {
    return (await this.seen()).filter(({ type }) => !type.startsWith('corecast.')).map(({ data }) => data);
  }

  async types() {
    return (await this.seen()).map(({ type }) => type);
  }

  until(what, condition, patienceMs) {
    return eventually(what, async () => condition(await this.stats()), patienceMs);
  }

  untilOpen() {
    return this.until('the stream is open', ({ state }) => state === 'open');
  }

  async untilSeen(count) {
    await eventually(`${count} events`, async () => (await this.data()).length >= count);
    return this.data();
  }
}
