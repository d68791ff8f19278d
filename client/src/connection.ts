// What a page holds: its part of the shared stream, with handlers, topics and figures.
//
// Invariants: handlers see each event once and in order, whatever happens to tabs, workers and the network; what a handler
// throws reaches nobody else. A page that the browser puts aside (back/forward cache, freezing) leaves its session, and
// comes back to it where it was.

import { randomId } from './env.ts';
import { hasLocks, type Link, type LinkEars, type LinkOptions } from './hosts/link.ts';
import { openSharedWorker } from './hosts/shared_worker.ts';
import { Inbox } from './inbox.ts';
import {
  CONTROL_PREFIX,
  type SessionConfig,
  type Status,
  type StreamError,
  type StreamEvent,
  type TokenReason,
  type ToSession,
  type ToTab,
} from './protocol.ts';

/** A token, or a function that fetches one. It is asked again when the token expires or is refused. */
export type Token = string | ((reason: TokenReason) => string | Promise<string>);

/** Where the stream is held. */
export type Mode = 'shared-worker' | 'leader' | 'solo';

/** What a connection is made with, every default filled in. */
export interface Settings {
  readonly name: string;
  readonly config: SessionConfig;
  readonly token: Token | undefined;
  readonly clientId: string | undefined;
  /** Absolute. */
  readonly workerUrl: string | undefined;
  readonly modes: readonly Mode[];
  readonly hiddenMaxMs: number | null;
  readonly timeOf: ((event: StreamEvent) => number | undefined) | undefined;
  readonly onMetrics: ((stats: Stats) => void) | undefined;
}

/** How long events took, from when their publisher says they were made. */
export interface Latency {
  readonly count: number;
  readonly lastMs: number;
  readonly meanMs: number;
  readonly maxMs: number;
}

export interface Stats extends Status {
  readonly tab: string;
  readonly mode: Mode;
  /** Events that this tab's handlers saw. */
  readonly events: number;
  /** Events that came to this tab again, and were kept from its handlers. */
  readonly duplicates: number;
  /** Only with the option `timeOf`. */
  readonly latency?: Latency;
}

/** One user has more streams in this browser than the two that a change of tabs may need for a moment. */
export interface Warning {
  readonly message: string;
  readonly connections: Status['connections'];
}

/** What handlers get, by the type they are for. */
export interface Notices {
  'corecast.state': Status;
  'corecast.error': StreamError;
  'corecast.warning': Warning;
}

type Handler = (event: never) => void;

/** Events that wait in an iterator for a loop that is slower than they come. */
const ITERATOR_MAX = 1000;

const CONNECTIONS_MAX = 2;

const NOTHING: Status = { state: 'connecting', tabs: 0, connections: [], opens: 0, reconnects: 0, gaps: 0 };

export class Connection {
  readonly tab = randomId();
  readonly #settings: Settings;
  readonly #onClosed: () => void;
  readonly #handlers = new Map<string, Set<Handler>>();
  /** How many want each topic. */
  readonly #topics = new Map<string, number>();
  readonly #inbox = new Inbox();
  readonly #iterators = new Set<(event: StreamEvent | undefined) => void>();
  readonly #listening = new AbortController();
  #modes: readonly Mode[];
  #link: Link | undefined;
  #lock: string | null = null;
  #token: Token | undefined;
  #status = NOTHING;
  #isFresh = true;
  /** The browser has put the page aside, and no session has heard since that it is back. */
  #wasAside = false;
  #isClosed = false;
  #topicsChanged = false;
  #events = 0;
  #latency: Latency | undefined;
  #hasWarned = false;

  /** Use `connect`, which hands out the connection that there is. */
  constructor(settings: Settings, topics: readonly string[], onClosed: () => void) {
    this.#settings = settings;
    this.#onClosed = onClosed;
    this.#token = settings.token;
    this.#modes = settings.modes;
    this.#count(topics, 1);
    this.#listen();
    this.#open();
  }

  get state(): Status['state'] {
    return this.#status.state;
  }

  /**
   * Calls `handler` with each event of a type, `*` for all; the function it gives ends that. Types that begin with
   * `corecast.` are the hub's own, or notices of this package (`Notices`).
   */
  on<T extends keyof Notices>(type: T, handler: (notice: Notices[T]) => void): () => void;
  on(type: string, handler: (event: StreamEvent) => void): () => void;
  on(type: string, handler: Handler): () => void {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers.add(handler));
    return () => {
      handlers.delete(handler);
      if (handlers.size === 0 && this.#handlers.get(type) === handlers) this.#handlers.delete(type);
    };
  }

  /** Adds topics; the function it gives takes them back, once. A topic stays as long as somebody in the page wants it. */
  subscribe(...topics: string[]): () => void {
    this.#count(topics, 1);
    let isDone = false;
    return () => {
      if (!isDone) this.#count(topics, -1);
      isDone = true;
    };
  }

  /** Another token, which is shown at once; or another function, which is asked at once if there was none. */
  setToken(token: Token): void {
    this.#token = token;
    this.#post({ t: 'token', n: 0, token: typeof token === 'string' ? token : null });
  }

  /** Opens a stream that has stopped: somebody wants it here. */
  reopen(): void {
    if (this.#link) this.#post({ t: 'open' });
    else this.#open();
  }

  /** Ends this page's part for good. The stream goes on for the other tabs. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listening.abort();
    this.#park();
    this.#onStatus({ ...this.#status, state: 'stopped', reason: 'closed' });
    for (const end of [...this.#iterators]) end(undefined);
    this.#handlers.clear();
    this.#onClosed();
  }

  stats(): Stats {
    return {
      ...this.#status,
      tab: this.tab,
      mode: this.#mode,
      events: this.#events,
      duplicates: this.#inbox.duplicates,
      ...(this.#latency ? { latency: this.#latency } : {}),
    };
  }

  /** All events from now on, until the connection is closed. A loop that is too slow is told by a `corecast.gap`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<StreamEvent, void, undefined> {
    let queue: StreamEvent[] = [];
    let hasEnded = this.#isClosed;
    let wake = () => {};
    const take = (event: StreamEvent | undefined) => {
      if (!event) hasEnded = true;
      else if (queue.push(event) > ITERATOR_MAX) queue = [gapOf(queue.splice(0, ITERATOR_MAX / 2)), ...queue];
      wake();
    };
    this.#iterators.add(take);
    try {
      for (;;) {
        const event = queue.shift();
        if (event) yield event;
        else if (hasEnded) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#iterators.delete(take);
    }
  }

  get #mode(): Mode {
    return this.#modes[0] ?? 'solo';
  }

  /** Workers of different scripts share nothing, not even a lock: one would wait for good until the other is gone. */
  get #sessionName(): string {
    const { name, workerUrl } = this.#settings;
    return `${name} ${this.#mode === 'shared-worker' ? workerUrl : this.#mode}`;
  }

  #count(topics: readonly string[], by: number): void {
    for (const topic of topics) {
      const count = (this.#topics.get(topic) ?? 0) + by;
      if (count > 0) this.#topics.set(topic, count);
      else this.#topics.delete(topic);
    }
    if (this.#topicsChanged || !this.#link) return;
    // A page that takes a topic back and another on in one go makes one change of it.
    this.#topicsChanged = true;
    queueMicrotask(() => {
      this.#topicsChanged = false;
      this.#post({ t: 'topics', topics: [...this.#topics.keys()] });
    });
  }

  #post(message: ToSession): void {
    this.#link?.post(message);
  }

  #open(): void {
    if (this.#link || this.#isClosed) return;
    const mode = this.#mode;
    const options = { name: this.#sessionName, tab: this.tab, config: this.#settings.config };
    const fallBack = () => {
      this.#park();
      this.#modes = this.#modes.slice(1);
      this.#open();
    };
    // A link that has been given up may still have something to say.
    const isNow = () => link !== undefined && link === this.#link;
    const ears: LinkEars = {
      ready: (lock) => isNow() && this.#join(lock),
      message: (message) => isNow() && this.#onMessage(message),
    };
    let link: Link | undefined;
    if (mode === 'shared-worker') {
      try {
        const reopen = () => {
          this.#park();
          this.#open();
        };
        link = openSharedWorker(this.#settings.workerUrl ?? '', options, ears, fallBack, reopen);
      } catch {
        return fallBack();
      }
    } else {
      const failed = () => isNow() && this.#onLoadFailed();
      link = openInPage(mode, options, ears, failed, () => isNow() && fallBack());
    }
    this.#link = link;
  }

  /** The part of this package that hosts sessions could not be loaded. Somebody acting, or the network, tries again. */
  #onLoadFailed(): void {
    this.#link = undefined;
    this.#onStatus({ ...this.#status, state: 'stopped', reason: 'refused' });
    this.#onError({ code: 'network', message: 'a part of this package cannot be loaded', fatal: true });
  }

  #join(lock: string | null): void {
    const { config, hiddenMaxMs, clientId } = this.#settings;
    const { state, reason, stoppedAt: at } = this.#status;
    this.#lock = lock;
    this.#inbox.restart();
    this.#post({
      t: 'join',
      tab: this.tab,
      config,
      clientId: clientId ?? storedClientId(this.#mode, this.#sessionName),
      topics: [...this.#topics.keys()],
      token: typeof this.#token === 'string' ? this.#token : null,
      asks: typeof this.#token === 'function',
      fresh: this.#isFresh,
      seen: this.#inbox.seen,
      stopped: state === 'stopped' && reason && at !== undefined ? { reason, at } : null,
      hidden: document.hidden,
      hiddenMaxMs,
      lock,
    });
    // It was shown before it had a session to tell.
    if (this.#wasAside && !document.hidden) this.#post({ t: 'hidden', hidden: false });
    this.#wasAside = false;
  }

  #onMessage(message: ToTab): void {
    switch (message.t) {
      case 'events':
        for (const event of message.events) this.#onEvent(event);
        this.#inbox.reached(message.last);
        if (this.#inbox.isDue(message.n)) this.#post({ t: 'ack', n: message.n });
        return;
      case 'status':
        this.#isFresh = false;
        if (message.cursor) this.#inbox.begin(message.cursor);
        return this.#onStatus(message.status);
      case 'error':
        return this.#onError(message.error);
      case 'ask':
        return void this.#answer(message.n, message.reason);
      case 'client_id':
        return storeClientId(this.#mode, this.#sessionName, message.id);
      case 'ping':
        return this.#post({ t: 'pong' });
      case 'here':
        return;
      case 'lost':
        return this.#join(this.#lock);
    }
  }

  #onEvent(event: StreamEvent): void {
    if (!this.#inbox.takes(event)) return;
    if (!event.type.startsWith(CONTROL_PREFIX)) {
      this.#events += 1;
      this.#measure(event);
    }
    this.#emit(event.type, event);
    this.#emit('*', event);
    for (const take of this.#iterators) take(event);
  }

  #onStatus(status: Status): void {
    this.#status = status;
    this.#emit('corecast.state', status);
    const { connections } = status;
    if (connections.length <= CONNECTIONS_MAX) {
      this.#hasWarned = false;
    } else if (!this.#hasWarned) {
      this.#hasWarned = true;
      const message = `corecast: this user has ${connections.length} streams in this browser; one is enough`;
      console.warn(message);
      this.#emit('corecast.warning', { message, connections });
    }
    const { onMetrics } = this.#settings;
    if (onMetrics) guarded(() => onMetrics(this.stats()));
  }

  #onError(error: StreamError): void {
    // An end that nobody listens for is still told to whoever looks for its reason.
    if (!this.#emit('corecast.error', error) && error.fatal) console.error(`corecast: ${error.message}`);
  }

  async #answer(n: number, reason: TokenReason): Promise<void> {
    const asked = this.#token;
    let token: string | null = null;
    try {
      const given = typeof asked === 'function' ? await asked(reason) : asked;
      // What a header cannot carry must not become an error that shows it.
      token = typeof given === 'string' && /^[\x21-\x7e]+$/.test(given) ? given : '';
    } catch (error) {
      report(error);
    }
    if (asked !== this.#token) return this.#answer(n, reason);
    this.#post({ t: 'token', n, token });
  }

  #measure(event: StreamEvent): void {
    const { timeOf } = this.#settings;
    if (!timeOf) return;
    guarded(() => {
      const made = timeOf(event);
      if (made === undefined || !Number.isFinite(made)) return;
      const lastMs = Date.now() - made;
      const { count, meanMs, maxMs } = this.#latency ?? { count: 0, meanMs: 0, maxMs: -Infinity };
      this.#latency = {
        count: count + 1,
        lastMs,
        meanMs: meanMs + (lastMs - meanMs) / (count + 1),
        maxMs: Math.max(maxMs, lastMs),
      };
    });
  }

  /** Whether anybody listened. */
  #emit(type: string, event: unknown): boolean {
    const handlers = this.#handlers.get(type);
    for (const handler of [...(handlers ?? [])]) guarded(() => (handler as (event: unknown) => void)(event));
    return handlers !== undefined;
  }

  #listen(): void {
    const options = { signal: this.#listening.signal };
    const park = () => {
      this.#wasAside = true;
      this.#park();
    };
    const open = () => this.#open();
    const showOrHide = () => this.#post({ t: 'hidden', hidden: document.hidden });
    document.addEventListener('visibilitychange', showOrHide, options);
    document.addEventListener('freeze', park, options);
    document.addEventListener('resume', open, options);
    addEventListener('pagehide', park, options);
    addEventListener('pageshow', open, options);
    const online = () => (this.#link ? this.#post({ t: 'online' }) : this.#open());
    addEventListener('online', online, options);
  }

  /** The browser puts the page aside: it must neither hold the stream nor keep others from it. */
  #park(): void {
    const link = this.#link;
    this.#link = undefined;
    link?.close();
  }
}

/** Replaced when built: where the classic script is. */
declare const CLASSIC_URL: string | undefined;

let loadsFailed = 0;

/**
 * A classic script of another origin has no address that an import could be relative to (HTML: "muted errors"). Many
 * browsers remember that an address could not be imported, so each further attempt has another; not so in a module, where
 * bundlers have to see what is imported.
 */
function loadHosts(): Promise<typeof import('./hosts/in_page.ts')> {
  if (typeof CLASSIC_URL === 'undefined') return import('./hosts/in_page.ts');
  return import(new URL(`client-host.mjs${loadsFailed ? `?${loadsFailed}` : ''}`, CLASSIC_URL).href);
}

function openInPage(
  mode: 'leader' | 'solo',
  options: LinkOptions,
  ears: LinkEars,
  failed: () => void,
  fallBack: () => void,
): Link {
  let link: Link | undefined;
  let isClosed = false;
  const onLoadFailed = () => {
    loadsFailed += 1;
    failed();
  };
  loadHosts().then(({ openLeader, openSolo }) => {
    if (!isClosed) link = (mode === 'leader' ? openLeader : openSolo)(options, ears, fallBack);
  }, onLoadFailed);
  return {
    post: (message) => link?.post(message),
    close() {
      isClosed = true;
      link?.close();
    },
  };
}

/** Stands for events that were dropped. */
function gapOf(dropped: readonly StreamEvent[]): StreamEvent {
  const data = { from: dropped[0]?.id ?? null, to: dropped.at(-1)?.id ?? null, reason: 'slow_iterator' };
  return { type: `${CONTROL_PREFIX}gap`, data: JSON.stringify(data), id: data.to ?? '' };
}

function guarded(run: () => void): void {
  try {
    run();
  } catch (error) {
    report(error);
  }
}

function report(error: unknown): void {
  // Not in browsers of before 2022.
  if (typeof reportError === 'function') reportError(error);
  else console.error(error);
}

/**
 * One id for each session of this browser, for the hub lets a stream take the place of another with its id; a tab that
 * shares with nobody has its own. Where nothing may be stored, they last until the page ends.
 */
const clientIds = new Map<string, string>();

function storageOf(mode: Mode): Storage {
  return mode === 'solo' ? sessionStorage : localStorage;
}

/** A hash (FNV-1a): what stays in the browser is short, and does not say whose stream it was. */
function clientIdKey(session: string): string {
  let hash = 0x811c9dc5;
  for (let n = 0; n < session.length; n += 1) hash = Math.imul(hash ^ session.charCodeAt(n), 0x01000193);
  return `corecast.client_id.${(hash >>> 0).toString(36)}`;
}

function storedClientId(mode: Mode, session: string): string {
  try {
    const stored = storageOf(mode).getItem(clientIdKey(session));
    if (stored) return stored;
  } catch {
    // Storage is forbidden here.
  }
  const id = clientIds.get(session) ?? randomId();
  storeClientId(mode, session, id);
  return id;
}

function storeClientId(mode: Mode, session: string, id: string): void {
  clientIds.set(session, id);
  try {
    storageOf(mode).setItem(clientIdKey(session), id);
  } catch {
    // Storage is forbidden here.
  }
}

/** Modes that this page can try, the best first. */
export function modesHere(workerUrl: string | undefined): Mode[] {
  const modes: Mode[] = [];
  if (workerUrl && typeof SharedWorker !== 'undefined') modes.push('shared-worker');
  if (hasLocks() && typeof BroadcastChannel !== 'undefined') modes.push('leader');
  return [...modes, 'solo'];
}
