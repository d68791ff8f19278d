// A tab without a browser: what `Connection` does with its session's messages, and a record of what its handlers saw.

import { Inbox } from '../src/inbox.ts';
import type { Join, SessionConfig, Status, StreamError, StreamEvent, TokenReason, ToTab } from '../src/protocol.ts';
import type { Port, Session } from '../src/session.ts';

export const CONFIG: SessionConfig = {
  url: 'http://hub.test/events',
  user: '',
  withCredentials: false,
  silenceMs: 45_000,
  silenceFollows: true,
  backoffMaxMs: 30_000,
  returnAfterMs: 30_000,
};

let tabs = 0;

export class Tab {
  readonly name = `tab-${(tabs += 1)}`;
  readonly seen: StreamEvent[] = [];
  readonly errors: StreamError[] = [];
  /** Events that this tab did not ask for, although they told their topics. */
  readonly strays: StreamEvent[] = [];
  /** Messages with events, or with a place alone. */
  batches = 0;
  readonly asked: TokenReason[] = [];
  readonly statuses: Status[] = [];
  inbox = new Inbox();
  clientId = 'browser';
  /** Messages that a frozen tab has not read. */
  queue: ToTab[] = [];
  isFrozen = false;
  token: string | ((reason: TokenReason) => string | null) | undefined;
  topics: string[];
  #session: Session | undefined;
  #port: Port | undefined;

  constructor(topics: string[]) {
    this.topics = topics;
  }

  get status(): Status {
    const status = this.statuses.at(-1);
    if (!status) throw new Error(`${this.name} has heard nothing`);
    return status;
  }

  get data(): string[] {
    return this.seen.filter(({ type }) => type === 'message').map(({ data }) => data);
  }

  types(): string[] {
    return this.seen.map(({ type }) => type);
  }

  join(session: Session, extra: Partial<Join> = {}): this {
    const port: Port = { post: (message) => port === this.#port && this.#take(structuredClone(message)) };
    this.#port = port;
    this.#session = session;
    this.inbox.restart();
    const { status } = this.statuses.length > 0 ? this : { status: undefined };
    session.receive(port, {
      t: 'join',
      tab: this.name,
      config: CONFIG,
      clientId: this.clientId,
      topics: this.topics,
      token: typeof this.token === 'string' ? this.token : null,
      asks: typeof this.token === 'function',
      fresh: this.statuses.length === 0,
      seen: this.inbox.seen,
      stopped: status?.reason && status.stoppedAt !== undefined ? { reason: status.reason, at: status.stoppedAt } : null,
      hidden: false,
      hiddenMaxMs: null,
      lock: null,
      ...extra,
    });
    return this;
  }

  /** The session is told, or finds out. */
  leave(): void {
    const port = this.#port;
    this.#port = undefined;
    if (port) this.#session?.leave(port);
  }

  /** Its session is gone, and has told nobody. */
  orphan(): void {
    this.#port = undefined;
  }

  say(message: Parameters<Session['receive']>[1]): void {
    if (this.#port) this.#session?.receive(this.#port, message);
  }

  setTopics(topics: string[]): void {
    this.topics = topics;
    this.say({ t: 'topics', topics });
  }

  setToken(token: NonNullable<Tab['token']>): void {
    this.token = token;
    this.say({ t: 'token', n: 0, token: typeof token === 'string' ? token : null });
  }

  thaw(): void {
    // What comes in answer to a receipt stands behind what waits already.
    for (let message = this.queue.shift(); message; message = this.queue.shift()) this.#handle(message);
    this.isFrozen = false;
  }

  #take(message: ToTab): void {
    if (this.isFrozen) this.queue.push(message);
    else this.#handle(message);
  }

  #handle(message: ToTab): void {
    switch (message.t) {
      case 'events':
        this.batches += 1;
        for (const event of message.events) {
          if (this.inbox.takes(event)) this.seen.push(event);
          const isFor = event.topics?.some((topic) => this.topics.includes(topic)) ?? true;
          if (!isFor && !this.topics.includes('*')) this.strays.push(event);
        }
        this.inbox.reached(message.last);
        if (this.inbox.isDue(message.n)) this.say({ t: 'ack', n: message.n });
        return;
      case 'status':
        if (message.cursor) this.inbox.begin(message.cursor);
        this.statuses.push(message.status);
        return;
      case 'error':
        this.errors.push(message.error);
        return;
      case 'ask':
        this.asked.push(message.reason);
        if (typeof this.token === 'function') {
          this.say({ t: 'token', n: message.n, token: this.token(message.reason) });
        }
        return;
      case 'client_id':
        this.clientId = message.id;
        return;
      case 'ping':
        return this.say({ t: 'pong' });
      case 'here':
      case 'lost':
        return;
    }
  }
}
