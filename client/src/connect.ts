// Handing out connections: asked twice, the same.

import { Connection, type Mode, modesHere, type Settings, type Stats, type Token } from './connection.ts';
import { PROTOCOL, type StreamEvent } from './protocol.ts';

export interface ConnectOptions {
  /** The hub's stream; `/events` by default. Without topics, and without a token, which has its own option. */
  url?: string;
  /** Topics, URI Templates, or `*`. Without any: the user's own events, and those to all. */
  topics?: readonly string[];
  /** A token, or a function that fetches one; it is asked again when a token expires or is refused. */
  token?: Token;
  /**
   * Whose stream it is. Name it where users can change without the browser being closed: tabs of different users share
   * nothing.
   */
  user?: string;
  /** Sends cookies to another origin, too. */
  withCredentials?: boolean;
  /** A stable id of this browser. By default one is made up and kept in `localStorage`. */
  clientId?: string;
  /** `keep`, or how long a page may be hidden before it needs no stream. Default `keep`. */
  hidden?: 'keep' | { readonly closeAfterMs: number };
  /** A stream without a byte for so long is opened anew. Default: three of the hub's heartbeats, 45,000 if it tells none. */
  silenceMs?: number;
  /** The most that waiting for the next attempt adds to what the server asks for. Default 30,000. */
  backoffMaxMs?: number;
  /** An evicted stream comes back when its page is shown again, but not before so long. Default 30,000. */
  returnAfterMs?: number;
  /** Where `client-worker.js` is, on the page's own origin. By default beside this script. `false`: use no worker. */
  workerUrl?: string | false;
  /** Where the stream may be held, the best first. Default: whatever this browser can. */
  modes?: readonly Mode[];
  /** When an event was made, in milliseconds of the epoch: for `stats().latency`. */
  timeOf?: (event: StreamEvent) => number | undefined;
  /** Called whenever something about the connection has changed: send them anywhere. */
  onMetrics?: (stats: Stats) => void;
}

/** Below it, a stream would be taken for dead between two heartbeats of any hub. */
const SILENCE_MIN_MS = 1000;

const connections = new Map<string, Connection>();

/**
 * The shared stream. Asked again for the same address and user, it hands out the same connection; further topics are added,
 * a token replaces the older one, a stream that has stopped is opened again, and other options have no effect.
 *
 * @throws TypeError if an option cannot be meant: an address that is none or not http(s), say. Whatever goes wrong later is told by `corecast.error`.
 */
export function connect(options: ConnectOptions = {}): Connection {
  const settings = settingsOf(options);
  const topics = options.topics ?? [];
  const existing = connections.get(settings.name);
  if (existing) {
    existing.subscribe(...topics);
    if (options.token !== undefined) existing.setToken(options.token);
    if (existing.state === 'stopped') existing.reopen();
    return existing;
  }
  const connection = new Connection(settings, topics, () => connections.delete(settings.name));
  connections.set(settings.name, connection);
  return connection;
}

/** Whether this page has a connection, to this address for this user if given. */
export function hasActiveConnection(options?: Pick<ConnectOptions, 'url' | 'user'>): boolean {
  return getConnection(options) !== undefined;
}

/** The connection that this page has, to this address for this user if given; else the first. */
export function getConnection(options?: Pick<ConnectOptions, 'url' | 'user'>): Connection | undefined {
  if (options) return connections.get(nameOf(addressOf(options.url), options.user));
  return connections.values().next().value;
}

function settingsOf(options: ConnectOptions): Settings {
  const url = addressOf(options.url);
  const { user = '', hidden = 'keep', silenceMs = 45_000, backoffMaxMs = 30_000, returnAfterMs = 30_000 } = options;
  if (!(silenceMs >= SILENCE_MIN_MS)) throw new TypeError(`silenceMs is below ${SILENCE_MIN_MS}`);
  if (!(backoffMaxMs > 0) || !(returnAfterMs >= 0)) throw new TypeError('times are positive numbers of milliseconds');
  const { withCredentials = false, workerUrl: given } = options;
  const workerUrl = given ? new URL(given, document.baseURI).href : given === false ? undefined : besideThisScript();
  const silenceFollows = options.silenceMs === undefined;
  return {
    name: nameOf(url, user),
    config: { url, user, withCredentials, silenceMs, silenceFollows, backoffMaxMs, returnAfterMs },
    token: options.token,
    clientId: options.clientId,
    workerUrl,
    modes: options.modes ?? modesHere(workerUrl),
    hiddenMaxMs: hidden === 'keep' ? null : hidden.closeAfterMs,
    timeOf: options.timeOf,
    onMetrics: options.onMetrics,
  };
}

function nameOf(url: string, user = ''): string {
  return `corecast/${PROTOCOL} ${url} ${user}`;
}

function addressOf(given = '/events'): string {
  let url;
  try {
    url = new URL(given, document.baseURI);
  } catch {
    throw new TypeError('url is no address');
  }
  if (!/^https?:$/.test(url.protocol)) throw new TypeError('url is no http address');
  if (url.searchParams.has('access_token')) throw new TypeError('url has an access_token: use the option token');
  url.hash = '';
  return url.href;
}

/** Replaced when built: an ES module knows its own address, a classic script is asked for it while it runs. */
declare const SCRIPT_URL: string | undefined;

const scriptUrl = typeof SCRIPT_URL === 'undefined' ? undefined : SCRIPT_URL;

/** A worker has to be of the page's own origin. */
function besideThisScript(): string | undefined {
  try {
    const url = new URL('client-worker.js', scriptUrl);
    return url.origin === location.origin ? url.href : undefined;
  } catch {
    return undefined;
  }
}
