// A world for sessions: a clock that only tests move, and a hub that keeps what was published and breaks when told.

import type { Env } from '../src/env.ts';
import type { Random } from './random.ts';

declare function setImmediate(run: () => void): void;

/** Lets everything that is under way without a timer come to rest. */
export async function settled(): Promise<void> {
  for (let n = 0; n < 8; n += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

interface Timer {
  at: number;
  order: number;
  run: () => void;
}

export class Clock {
  ms = 1_000_000;
  #timers = new Set<Timer>();
  #order = 0;

  after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: this.ms + ms, order: (this.#order += 1), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  get waiting(): number {
    return this.#timers.size;
  }

  async advance(ms: number): Promise<void> {
    const end = this.ms + ms;
    await settled();
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (!due) break;
      this.#timers.delete(due);
      this.ms = Math.max(this.ms, due.at);
      due.run();
      await settled();
    }
    this.ms = end;
  }
}

/** As the hub spells its ids. */
export const idOf = (position: number): string => `00000000000000aa-${position}`;

export interface Published {
  position: number;
  /** Empty: to all. */
  topic: string;
  data: string;
}

interface Open {
  topics: string[];
  clientId: string;
  token: string;
  controller: ReadableStreamDefaultController<Uint8Array>;
}

/** As the hub does it: one log, resume by id, the first id in a header, one stream of each client. */
export class FakeHub {
  log: Published[] = [];
  streams = new Set<Open>();
  /** Every request's topics, token, and cursor. */
  requests: { topics: string[]; token: string; cursor: string | null; clientId: string }[] = [];
  /** Instead of a stream, if it gives something. */
  answer: (topics: string[], token: string) => Response | Error | undefined = () => undefined;
  retryMs = 1000;
  /** Whether events name their topics. */
  tellsTopics = false;
  /** The heartbeat that a stream's head tells, in seconds. */
  heartbeat = '';
  /** What is older than this position is gone. */
  oldest = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  fetch: Env['fetch'] = async (address, init) => {
    const url = new URL(address);
    const headers = new Headers(init.headers);
    const topics = url.searchParams.getAll('topic');
    const clientId = url.searchParams.get('client_id') ?? '';
    const token = headers.get('authorization')?.replace('Bearer ', '') ?? '';
    const cursor = headers.get('last-event-id');
    this.requests.push({ topics, token, cursor, clientId });
    const answer = this.answer(topics, token);
    if (answer instanceof Error) throw answer;
    if (answer) return answer;
    for (const stream of this.streams) if (stream.clientId === clientId) this.#end(stream);
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({ start: (own) => void (controller = own) });
    const stream: Open = { topics, clientId, token, controller: controller as ReadableStreamDefaultController<Uint8Array> };
    this.streams.add(stream);
    init.signal?.addEventListener('abort', () => this.drop(stream));
    const newest = this.log.length;
    let from = newest;
    let first = `:\nretry: ${this.retryMs}\n`;
    if (cursor) {
      from = Number(cursor.slice(17));
      if (from < this.oldest) {
        first += `event: corecast.gap\ndata: {"from":"${cursor}","to":"${idOf(this.oldest)}"}\nid: ${idOf(this.oldest)}\n\n`;
        from = this.oldest;
      }
    }
    this.#send(stream, first);
    for (const event of this.log.slice(from)) this.#deliver(stream, event);
    return new Response(body, {
      headers: {
        'content-type': 'text/event-stream; charset=utf-8',
        'last-event-id': idOf(from),
        ...(this.heartbeat ? { 'corecast-heartbeat': this.heartbeat } : {}),
      },
    });
  };

  publish(topic: string, data = ''): string {
    const event = { position: this.log.length + 1, topic, data: data || String(this.log.length + 1) };
    this.log.push(event);
    for (const stream of this.streams) this.#deliver(stream, event);
    return idOf(event.position);
  }

  /** Sends bytes of the hub's own to all streams. */
  say(text: string): void {
    for (const stream of this.streams) this.#send(stream, text);
  }

  /** Breaks all streams, some within a block that never ends. */
  dropAll(): void {
    for (const stream of [...this.streams]) {
      if (this.#random.chance(0.5)) this.#send(stream, `data: cut\nid: ${idOf(999999)}\n`);
      this.drop(stream);
    }
  }

  /** Ends all streams in good order. */
  endAll(): void {
    for (const stream of [...this.streams]) this.#end(stream);
  }

  drop(stream: Open): void {
    if (!this.streams.delete(stream)) return;
    try {
      stream.controller.error(new TypeError('broken'));
    } catch {
      // It has been read to its end.
    }
  }

  #end(stream: Open): void {
    if (this.streams.delete(stream)) stream.controller.close();
  }

  #deliver(stream: Open, { position, topic, data }: Published): void {
    if (topic && !stream.topics.some((wanted) => wanted === '*' || wanted === topic)) return;
    const named = this.tellsTopics && topic ? `topic: ${topic}\n` : '';
    this.#send(stream, `${named}data: ${data}\nid: ${idOf(position)}\n\n`);
  }

  /** In pieces, as a network has it. */
  #send(stream: Open, text: string): void {
    const bytes = new TextEncoder().encode(text);
    const cut = this.#random.below(bytes.length + 1);
    for (const piece of [bytes.slice(0, cut), bytes.slice(cut)]) if (piece.length > 0) stream.controller.enqueue(piece);
  }
}

export function fakeEnv(clock: Clock, hub: FakeHub, random: Random): Env {
  return { fetch: hub.fetch, now: () => clock.ms, after: clock.after, random: random.next };
}
