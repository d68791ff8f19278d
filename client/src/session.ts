// What all tabs share: one stream with the topics of all of them, and a place in its events for each.
//
// Invariants: a tab gets every event from its place on that may be for it, in order, or a `corecast.gap` that says what is
// missing; a tab has at most `WINDOW` events under way, and beyond them costs nothing but its place in the ring; the stream
// is open exactly while a tab needs it.
// Not here: how messages get to tabs, and how it is noticed that one is gone (the hosts' work).

import { type Env, randomId } from './env.ts';
import { isUpTo, placeOf } from './place.ts';
import {
  type ConnectionRecord,
  type Join,
  type SessionConfig,
  type State,
  type Status,
  type StopReason,
  type StreamEvent,
  type TokenReason,
  type ToSession,
  type ToTab,
} from './protocol.ts';
import { Ring } from './ring.ts';
import { Stream, streamError } from './stream.ts';

/** The way to a tab. */
export interface Port {
  post(message: ToTab): void;
}

/** Told of the streams of this browser, and tells how many a user has. */
export interface Census {
  /** Called when the count has changed. */
  onChange: () => void;
  opened(record: ConnectionRecord): void;
  closed(id: string): void;
  of(user: string): ConnectionRecord[];
}

/** Events on their way to one tab. */
const WINDOW = 512;

/** The stream is read no faster than its tabs, but for a tab that is behind for so long. */
const PACE_MS = 1000;

/** Changes of topics within this are one change. */
const SETTLE_MS = 50;

/** The first stream waits for what a page asks for while it is being built, and not longer. */
const SETTLE_FIRST_MS = 5;

/** Topics of a tab that went stay for so long: a reload must not cost the others their stream twice. */
const LINGER_MS = 5000;

/** What the hub takes of one stream. */
const TOPICS_MAX = 256;

/** Characters of all topics, encoded, so that the request's head stays below the hub's bound. */
const TOPICS_CHARS_MAX = 12_000;

/** A template, `*`, or what reaches the hub as another text: half of a surrogate pair. */
const NOT_EXACT = /^\*$|[{\p{Surrogate}]/u;

const TOKEN_TIMEOUT_MS = 10_000;

/** A token that is warned of sooner than this after the last was renewed is short-lived, and not renewed at once. */
const RENEW_PAUSE_MS = 10_000;

/** Tabs report the network's return within this. */
const ONLINE_PAUSE_MS = 2000;

interface Seat extends Join {
  port: Port;
  /** The number in the ring of the next event to look at. */
  next: number;
  /** Grows with each event that is sent. Begins at the place in the ring, so that a late receipt names no number to come. */
  sent: number;
  acked: number;
  /** The last id before `next`, for the gap if there is one. */
  last: string;
  /** The last id that the tab has been told. */
  told: string;
  hiddenAt: number;
  /** It was waited for in vain, and has not caught up since. */
  isLate: boolean;
}

interface Stopped {
  reason: StopReason;
  at: number;
}

export class Session {
  readonly #env: Env;
  readonly #config: SessionConfig;
  readonly #host: string;
  readonly #census: Census | undefined;
  readonly #stream: Stream;
  /** Topics in the address itself: whose they are is not known, so they are everybody's. */
  readonly #commonTopics: readonly string[];
  #ring = new Ring();
  readonly #seats = new Map<Port, Seat>();
  /** Seats of tabs that went a moment ago. */
  readonly #ghosts = new Set<Seat>();
  /** The topics of the stream, and the number of the first event that it had with each. */
  readonly #since = new Map<string, number>();
  /** Topics that the server has taken, if it has opened a stream. */
  #taken: Set<string> | undefined;
  #expected: number;
  #stopped: Stopped | undefined;
  #hasBegun = false;
  #cancelSettle: (() => void) | undefined;
  #cancelLook = () => {};
  #asked = 0;
  #answers = new Map<number, { port: Port; settle: (token: string | null) => void }>();
  /** The token that was shown last. It serves until it expires or is refused. */
  #shown = '';
  #renewing = false;
  #renewedAt = -Infinity;
  #onlineAt = -Infinity;
  #connection: ConnectionRecord | undefined;
  #readOn = () => {};
  #opens = 0;
  #gaps = 0;

  /**
   * `host` names who holds the stream: a tab, or `worker`. If `expected` tabs are known to come from a session before
   * this one, nothing begins until they are here or `patienceMs` is over.
   */
  constructor(env: Env, config: SessionConfig, host: string, census?: Census, expected = 0, patienceMs = 0) {
    this.#env = env;
    this.#config = config;
    this.#host = host;
    this.#commonTopics = new URL(config.url).searchParams.getAll('topic');
    this.#census = census;
    if (census) census.onChange = () => this.#tellStatus();
    this.#expected = expected;
    if (expected > 0) {
      env.after(patienceMs, () => {
        this.#expected = 0;
        this.#settleSoon();
      });
    }
    this.#stream = new Stream(config, env, {
      event: (event) => this.#onEvent(event),
      batch: () => this.#pace(),
      phase: (reason) => this.#onPhase(reason),
      error: (error) => this.#tell({ t: 'error', error }),
      token: (reason) => this.#token(reason),
      refused: (status) => this.#onRefused(status),
    });
  }

  /** A message of a tab. */
  receive(port: Port, message: ToSession): void {
    if (message.t === 'join') return this.#join(port, message);
    const seat = this.#seats.get(port);
    if (!seat) return port.post({ t: 'lost' });
    switch (message.t) {
      case 'leave':
        return this.leave(port);
      case 'topics':
        seat.topics = message.topics;
        return this.#settleSoon();
      case 'token':
        if (message.n === 0) return this.#onNewToken(seat, message.token);
        return this.#answers.get(message.n)?.settle(message.token);
      case 'hidden':
        return this.#onHidden(seat, message.hidden);
      case 'online':
        return this.#onOnline();
      case 'ack':
        seat.acked = Math.max(seat.acked, message.n);
        this.#serve(seat);
        if (this.#behind().length === 0) this.#readOn();
        return;
      case 'open':
        return this.#reopen();
      // What is left tells that the tab lives: that is for the hosts.
    }
  }

  /** A tab is gone. */
  leave(port: Port): void {
    const seat = this.#seats.get(port);
    if (!seat) return;
    this.#seats.delete(port);
    if (this.#behind().length === 0) this.#readOn();
    for (const answer of this.#answers.values()) if (answer.port === port) answer.settle(null);
    if (this.#seats.size === 0) return this.close();
    this.#ghosts.add(seat);
    this.#env.after(LINGER_MS, () => this.#ghosts.delete(seat) && this.#settleSoon());
    this.#tellStatus();
  }

  /** Ends the stream, and forgets it. */
  close(): void {
    this.#cancelSettle?.();
    this.#cancelSettle = undefined;
    this.#cancelLook();
    this.#readOn();
    this.#ghosts.clear();
    this.#since.clear();
    this.#stream.close();
    this.#stream.cursor = null;
    this.#ring = new Ring();
    this.#hasBegun = false;
    this.#stopped = this.#taken = undefined;
    // Who comes next may be another.
    this.#shown = '';
  }

  /** The seats, the newest last. */
  #tabs(): Seat[] {
    return [...this.#seats.values()];
  }

  #join(port: Port, join: Join): void {
    for (const [other, seat] of this.#seats) if (seat.tab === join.tab) this.#seats.delete(other);
    for (const ghost of this.#ghosts) if (ghost.tab === join.tab) this.#ghosts.delete(ghost);
    const end = this.#ring.end;
    const last = join.seen.at(-1) ?? '';
    const seat: Seat = { ...join, port, next: end, sent: end, acked: end, last, told: last, hiddenAt: this.#env.now(), isLate: false };
    this.#seats.set(port, seat);
    this.#stream.clientId ||= join.clientId;
    if (this.#hasBegun && last) this.#findPlace(seat);
    if (join.stopped && !this.#hasBegun) this.#stopped ??= join.stopped;
    if (join.fresh && this.#stopped) this.#reopen();
    this.#settleSoon();
    this.#tellStatus();
    this.#serve(seat);
  }

  /**
   * Where a tab goes on that knows where it was: in the ring, or behind it if the stream has yet to come there; if the
   * stream had its topics all the time.
   */
  #findPlace(seat: Seat): void {
    const isAhead = isUpTo(placeOf(this.#stream.cursor ?? ''), placeOf(seat.last));
    const place = this.#ring.behind(seat.last) ?? (isAhead ? seat.next : -1);
    const isCovered = (topic: string) => (this.#since.get(topic) ?? Infinity) <= place;
    if (place >= 0 && seat.topics.every(isCovered)) {
      seat.next = seat.sent = seat.acked = place;
    } else {
      this.#tellGap(seat, this.#stream.cursor ?? '');
    }
  }

  #tellGap(seat: Seat, to: string): void {
    this.#gaps += 1;
    const data = JSON.stringify({ from: seat.last, to, reason: 'client' });
    seat.last = seat.told = to;
    seat.port.post({ t: 'events', n: seat.sent, events: [{ type: 'corecast.gap', data, id: to }], last: to });
  }

  /** What came in one piece goes to all tabs. Gives when to read on, if some have yet to read. */
  #pace(): Promise<void> | undefined {
    for (const seat of this.#tabs()) this.#serve(seat);
    if (this.#behind().length === 0) return undefined;
    return new Promise((resolve) => {
      const cancel = this.#env.after(PACE_MS, () => {
        for (const seat of this.#behind()) seat.isLate = true;
        resolve();
      });
      this.#readOn = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Tabs that read, and are not through with what there is. */
  #behind(): Seat[] {
    return this.#tabs().filter((seat) => !seat.isLate && seat.next < this.#ring.end);
  }

  /**
   * Sends a tab what it has yet to see, as far as its window goes, and how far that is. A full window holds up what is for
   * the tab, not what is for others.
   */
  #serve(seat: Seat): void {
    const ring = this.#ring;
    const room = seat.acked + WINDOW - seat.sent;
    if (seat.next < ring.first) {
      if (room <= 0) return;
      seat.next = ring.first;
      this.#tellGap(seat, ring.before);
    }
    const isFor = this.#filter(seat);
    const events: StreamEvent[] = [];
    for (let event = ring.at(seat.next); event; event = ring.at(seat.next)) {
      if (isFor(event)) {
        if (events.length >= room) break;
        events.push(event);
      }
      seat.next += 1;
      seat.last = event.id || seat.last;
    }
    if (seat.next === ring.end) seat.isLate = false;
    if (room <= 0 || (events.length === 0 && seat.last === seat.told)) return;
    // Telling a place takes room, too: a tab that reads nothing must not pile them up.
    seat.sent += events.length || 1;
    seat.told = seat.last;
    seat.port.post({ t: 'events', n: seat.sent, events, last: seat.last });
  }

  /**
   * Tells which events may be for a tab. One is kept from it only if that is certain: the event names its topics, and the
   * tab has asked for others alone, each by its very name.
   */
  #filter({ topics }: Seat): (event: StreamEvent) => boolean {
    const exact = new Set([...topics, ...this.#commonTopics]);
    for (const topic of exact) if (NOT_EXACT.test(topic)) return () => true;
    return (event) => !event.topics || event.topics.some((topic) => exact.has(topic));
  }

  #onEvent(event: StreamEvent): void {
    this.#ring.push(event);
    if (event.type === 'corecast.gap') {
      this.#gaps += 1;
      this.#tellStatus();
    } else if (event.type === 'corecast.expiring') {
      this.#onExpiring(event.data);
    }
  }

  #onPhase(reason?: StopReason): void {
    const { phase } = this.#stream;
    if (reason) this.#stopped = { reason, at: this.#env.now() };
    if (this.#connection && phase !== 'open') {
      this.#census?.closed(this.#connection.id);
      this.#connection = undefined;
    }
    if (phase === 'open') {
      this.#opens += 1;
      this.#taken = new Set(this.#since.keys());
      if (this.#ring.end === 0) this.#ring.before = this.#stream.cursor ?? '';
      this.#connection = { id: randomId(), user: this.#config.user, since: this.#env.now(), tab: this.#host };
      this.#census?.opened(this.#connection);
    }
    this.#tellStatus();
  }

  /** Topics that the server does not take cost those tabs their place that asked for them, not the others theirs. */
  #onRefused(status: number): boolean {
    const taken = this.#taken;
    if (!taken) return false;
    const isNew = (topic: string) => !taken.has(topic);
    const askers = this.#tabs().filter((seat) => seat.topics.some(isNew));
    if (askers.length === 0 || askers.length === this.#seats.size) return false;
    for (const seat of askers) {
      seat.topics = seat.topics.filter((topic) => !isNew(topic));
      seat.port.post({ t: 'error', error: streamError('topics', false, status) });
    }
    this.#ghosts.clear();
    this.#settle();
    return true;
  }

  #settleSoon(): void {
    if (this.#seats.size < this.#expected) return;
    this.#cancelSettle ??= this.#env.after(this.#hasBegun ? SETTLE_MS : SETTLE_FIRST_MS, () => this.#settle());
  }

  /** Makes the stream what the tabs need. */
  #settle(): void {
    this.#cancelSettle?.();
    this.#cancelSettle = undefined;
    if (this.#seats.size === 0) return;
    if (!this.#hasBegun) this.#begin();
    if (this.#stopped) return this.#tellStatus();
    if (!this.#isNeeded()) {
      if (this.#stream.phase !== 'idle') this.#stream.close();
      return;
    }
    const topics = this.#mergedTopics();
    const isSame = topics.length === this.#since.size && topics.every((topic) => this.#since.has(topic));
    const { phase } = this.#stream;
    if (isSame && phase !== 'idle' && phase !== 'stopped') return;
    for (const topic of this.#since.keys()) if (!topics.includes(topic)) this.#since.delete(topic);
    for (const topic of topics) if (!this.#since.has(topic)) this.#since.set(topic, this.#ring.end);
    this.#stream.open(topics);
  }

  /** Chooses where the stream begins, so that no tab misses anything: the first place that all others are past. */
  #begin(): void {
    this.#hasBegun = true;
    const seats = this.#tabs().filter((seat) => seat.last);
    const isPast = (one: Seat, other: Seat) =>
      other.seen.includes(one.last) || isUpTo(placeOf(one.last), placeOf(other.last));
    const first = seats.find((seat) => seats.every((other) => isPast(seat, other))) ?? seats[0];
    if (!first) return;
    this.#stream.cursor = this.#ring.before = first.last;
    for (const seat of seats) if (!isPast(first, seat)) this.#tellGap(seat, first.last);
  }

  #mergedTopics(): string[] {
    const topics = new Set<string>();
    let chars = 0;
    for (const seat of [...this.#tabs(), ...this.#ghosts]) {
      for (const topic of seat.topics) {
        if (topics.has(topic)) continue;
        chars += String(new URLSearchParams({ topic })).length + 1;
        if (topics.size === TOPICS_MAX || chars > TOPICS_CHARS_MAX) {
          if (!this.#ghosts.has(seat)) seat.port.post({ t: 'error', error: streamError('topics', false) });
          break;
        }
        topics.add(topic);
      }
    }
    return [...topics].sort();
  }

  /** Whether some tab is visible, or hidden for less time than it allows itself. Looks again when that may change. */
  #isNeeded(): boolean {
    const now = this.#env.now();
    const lefts = this.#tabs().map(({ hidden, hiddenAt, hiddenMaxMs }) =>
      !hidden || hiddenMaxMs === null ? Infinity : hiddenAt + hiddenMaxMs - now,
    );
    const leftMs = Math.max(...lefts);
    this.#cancelLook();
    if (leftMs > 0 && leftMs < Infinity) this.#cancelLook = this.#env.after(leftMs, () => this.#settleSoon());
    return leftMs > 0;
  }

  #onHidden(seat: Seat, hidden: boolean): void {
    if (hidden && !seat.hidden) seat.hiddenAt = this.#env.now();
    seat.hidden = hidden;
    const { returnAfterMs } = this.#config;
    const stopped = this.#stopped;
    const mayReturn = stopped && stopped.reason !== 'refused' && this.#env.now() - stopped.at >= returnAfterMs;
    if (!hidden && mayReturn) this.#stopped = undefined;
    this.#settleSoon();
  }

  /** The network may be another: what is open may be dead, what waits need not. All tabs say so at once. */
  #onOnline(): void {
    const now = this.#env.now();
    if (now - this.#onlineAt < ONLINE_PAUSE_MS) return;
    this.#onlineAt = now;
    this.#stream.refresh();
  }

  /** Somebody acts: a stream that was told to stay away comes back, under another name, since the hub knows the old one. */
  #reopen(): void {
    const stopped = this.#stopped;
    this.#stopped = undefined;
    if (stopped?.reason === 'evicted' || stopped?.reason === 'gone') {
      this.#stream.clientId = randomId();
      this.#tell({ t: 'client_id', id: this.#stream.clientId });
    }
    this.#settleSoon();
  }

  async #token(reason: TokenReason): Promise<string | null> {
    const seats = this.#tabs().reverse();
    const askable = seats.filter((seat) => seat.asks).sort((one, other) => Number(one.hidden) - Number(other.hidden));
    if (askable.length === 0) {
      const token = seats.find((seat) => seat.token)?.token ?? '';
      return reason === 'refused' && token === this.#shown ? null : (this.#shown = token);
    }
    if (reason === 'start' && this.#shown) return this.#shown;
    let hasFailed = false;
    for (const seat of askable) {
      const token = await this.#ask(seat, reason);
      if (token) return (this.#shown = token);
      hasFailed ||= token === null;
    }
    // Functions that answer, and have no token, will have none in a second either.
    if (!hasFailed) return null;
    throw new Error('no token');
  }

  #ask(seat: Seat, reason: TokenReason): Promise<string | null> {
    return new Promise((resolve) => {
      const n = (this.#asked += 1);
      const settle = (token: string | null) => {
        cancel();
        this.#answers.delete(n);
        resolve(token);
      };
      const cancel = this.#env.after(TOKEN_TIMEOUT_MS, () => settle(null));
      this.#answers.set(n, { port: seat.port, settle });
      seat.port.post({ t: 'ask', n, reason });
    });
  }

  /** The newest token counts: its tab is the first to be taken for one. All tabs may get the same at once. */
  #onNewToken(seat: Seat, token: string | null): void {
    const asks = token === null;
    const isKnown = asks ? this.#hasAsker() : token === this.#shown;
    if (seat.token !== token || seat.asks !== asks) {
      this.#seats.delete(seat.port);
      this.#seats.set(seat.port, Object.assign(seat, { token, asks }));
      if (!isKnown) {
        this.#shown = '';
        this.#stream.refresh();
      }
    }
    if (this.#stopped?.reason === 'refused') this.#reopen();
  }

  #hasAsker(): boolean {
    return this.#tabs().some((seat) => seat.asks);
  }

  #onExpiring(data: string): void {
    if (this.#renewing || !this.#hasAsker()) return;
    this.#renewing = true;
    const pause = this.#env.now() - this.#renewedAt < RENEW_PAUSE_MS ? secondsOf(data) * 500 : 0;
    this.#env.after(pause, () => void this.#renew());
  }

  /** Gets the next token while the stream still runs, then changes over. */
  async #renew(): Promise<void> {
    const connection = this.#connection;
    const shown = this.#shown;
    this.#renewedAt = this.#env.now();
    const token = await this.#token('expiring').catch(() => null);
    this.#renewing = false;
    // If there is none, the stream's end will ask again, and say so if there is none then.
    if (token === null || token === shown || !connection || this.#connection !== connection) return;
    this.#stream.refresh();
  }

  #tellStatus(): void {
    this.#tell({ t: 'status', status: this.#status(), cursor: this.#stream.cursor });
  }

  #tell(message: ToTab): void {
    for (const seat of this.#tabs()) seat.port.post(message);
  }

  #status(): Status {
    return {
      state: this.#state(),
      ...(this.#stopped && { reason: this.#stopped.reason, stoppedAt: this.#stopped.at }),
      tabs: this.#seats.size,
      ...(this.#connection && { connection: this.#connection }),
      connections: this.#census?.of(this.#config.user) ?? (this.#connection ? [this.#connection] : []),
      opens: this.#opens,
      reconnects: Math.max(0, this.#opens - 1),
      gaps: this.#gaps,
    };
  }

  #state(): State {
    if (this.#stopped) return 'stopped';
    const { phase } = this.#stream;
    if (phase === 'idle') return this.#hasBegun && !this.#cancelSettle ? 'paused' : 'connecting';
    return phase;
  }
}

function secondsOf(data: string): number {
  try {
    const { seconds } = JSON.parse(data) as { seconds?: unknown };
    return typeof seconds === 'number' ? seconds : 0;
  } catch {
    return 0;
  }
}
