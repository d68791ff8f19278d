// The debugger's subscriber: what a browser would do with the stream, and everything a browser hides.
//
// Invariant: at most LINES_MAX lines are kept, each of at most DATA_CHARS_MAX characters of data.

import { Failure } from './admin';
import type { Admin } from './admin';
import { EventParser, readItems } from './sse';
import type { Item } from './sse';

export const LINES_MAX = 500;
export const DATA_CHARS_MAX = 16 * 1024;

/** What browsers wait before they come back if the stream has not said. */
const RETRY_MS_DEFAULT = 3000;

/** `note` is what happened to the stream itself. */
export type LineKind = 'event' | 'control' | 'note' | 'problem';

export interface Line {
  /** Counts up from 1; never used twice. */
  number: number;
  at: Date;
  kind: LineKind;
  type: string;
  id: string;
  data: string;
  /** Characters of data that were left out. */
  cut: number;
}

export interface Subscription {
  topics: string[];
  token: string;
  lastEventId: string;
  /** Come back when the hub ends the stream, as EventSource does. */
  comesBack: boolean;
}

export type DebugState = 'closed' | 'connecting' | 'open' | 'waiting';

export class DebugStream {
  state: DebugState = 'closed';
  /** Oldest first. */
  lines: Line[] = [];
  events = 0;
  comments = 0;
  #numbers = 0;
  #frozen: Line[] | null = null;
  #seenWhenFrozen = 0;
  #stream: AbortController | null = null;
  #retryMs = RETRY_MS_DEFAULT;
  #lastEventId = '';

  constructor(
    private readonly admin: Pick<Admin, 'open'>,
    private readonly onChange: () => void,
  ) {}

  /** What to show: everything, or what there was when it was paused. */
  get shown(): Line[] {
    return this.#frozen ?? this.lines;
  }

  get isPaused(): boolean {
    return this.#frozen !== null;
  }

  /** Lines that came since it was paused. */
  get unseen(): number {
    return this.isPaused ? this.#numbers - this.#seenWhenFrozen : 0;
  }

  pause(): void {
    this.#frozen = [...this.lines];
    this.#seenWhenFrozen = this.#numbers;
    this.onChange();
  }

  goOn(): void {
    this.#frozen = null;
    this.onChange();
  }

  clear(): void {
    this.lines = [];
    this.events = 0;
    this.comments = 0;
    if (this.isPaused) this.pause();
    this.onChange();
  }

  start(wanted: Subscription): void {
    this.#stream?.abort();
    const stream = new AbortController();
    this.#stream = stream;
    this.#retryMs = RETRY_MS_DEFAULT;
    this.#lastEventId = wanted.lastEventId;
    void this.#follow(wanted, stream.signal);
  }

  stop(): void {
    if (this.#stream === null) return;
    this.#stream.abort();
    this.#stream = null;
    this.#note('note', 'closed by you');
    this.#become('closed');
  }

  async #follow(wanted: Subscription, signal: AbortSignal): Promise<void> {
    for (;;) {
      this.#become('connecting');
      const isOver = await this.#oneStream(wanted, signal);
      if (signal.aborted) return;
      if (isOver || !wanted.comesBack) break;
      const from = this.#lastEventId === '' ? '' : `, from id ${this.#lastEventId}`;
      this.#note('note', `coming back in ${this.#retryMs} ms${from}`);
      this.#become('waiting');
      await pause(this.#retryMs, signal);
      if (signal.aborted) return;
    }
    this.#stream = null;
    this.#become('closed');
  }

  /** Whether a browser would not come back after this. */
  async #oneStream(wanted: Subscription, signal: AbortSignal): Promise<boolean> {
    try {
      const headers: Record<string, string> = { Accept: 'text/event-stream' };
      if (wanted.token !== '') headers['X-Corecast-Authorization'] = `Bearer ${wanted.token}`;
      const response = await this.admin.open(this.#address(wanted), { headers, signal });
      if (response.status === 204 || response.body === null) {
        this.#note('problem', `${response.status}: the hub wants this client to stay away`);
        return true;
      }
      this.#note('note', `open: ${response.status} ${response.headers.get('Content-Type') ?? ''}`);
      this.#become('open');
      const parser = new EventParser();
      parser.startFrom(this.#lastEventId);
      await readItems(
        response.body,
        (item) => {
          if (!signal.aborted) this.#on(item);
          this.#lastEventId = parser.lastEventId;
        },
        parser,
      );
      if (!signal.aborted) this.#note('note', 'the hub ended the stream');
      return false;
    } catch (error) {
      if (signal.aborted) return true;
      const status = error instanceof Failure && error.status !== 0 ? `${error.status}: ` : '';
      this.#note('problem', `${status}${error instanceof Error ? error.message : String(error)}`);
      // The standard: an answer that is no stream is final, a network that is gone is not.
      return status !== '';
    }
  }

  #address(wanted: Subscription): string {
    const search = new URLSearchParams(wanted.topics.map((topic) => ['topic', topic]));
    if (this.#lastEventId !== '') search.set('last_event_id', this.#lastEventId);
    return `/hub/events${search.size > 0 ? `?${search}` : ''}`;
  }

  #on(item: Item): void {
    if (item.kind === 'comment') {
      this.comments += 1;
      this.onChange();
    } else if (item.kind === 'retry') {
      this.#retryMs = item.ms;
      this.#note('note', `retry: ${item.ms} ms`);
    } else {
      this.events += 1;
      this.#append(item.type.startsWith('corecast.') ? 'control' : 'event', item.type, item.id, item.data);
    }
  }

  #note(kind: 'note' | 'problem', text: string): void {
    this.#append(kind, kind, '', text);
  }

  #append(kind: LineKind, type: string, id: string, data: string): void {
    this.#numbers += 1;
    const cut = Math.max(0, data.length - DATA_CHARS_MAX);
    this.lines.push({
      number: this.#numbers,
      at: new Date(),
      kind,
      type,
      id,
      data: data.slice(0, DATA_CHARS_MAX),
      cut,
    });
    if (this.lines.length > LINES_MAX) this.lines.shift();
    this.onChange();
  }

  #become(state: DebugState): void {
    this.state = state;
    this.onChange();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
