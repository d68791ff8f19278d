// One event stream by `fetch`: connects, resumes, waits, watches for silence, and stops where the server says so.
//
//   idle ─▶ connecting ─▶ open ─▶ waiting ─▶ connecting …
//             └─────────────┴──────┴──▶ stopped (evicted, gone, refused), left by `open` alone
//
// `fetch` and not `EventSource`, because it sends the token in a header instead of the address, sees statuses, and sees
// every byte: the hub's silent heartbeats feed the watchdog, so that none need be asked for that handlers would see.
// Invariants: at most one request at a time; what an older one still brings is dropped; the cursor moves with whole
// blocks only, so a block that is cut comes again.
// Not here: who wants which topics, and where tokens come from.

import { Backoff } from './backoff.ts';
import type { Env } from './env.ts';
import { type Block, Parser } from './parser.ts';
import type { ErrorCode, StopReason, StreamError, StreamEvent, TokenReason } from './protocol.ts';

export type Phase = 'idle' | 'connecting' | 'open' | 'waiting' | 'stopped';

export interface StreamOptions {
  readonly url: string;
  readonly withCredentials: boolean;
  /** A stream without a byte for so long is dead. */
  readonly silenceMs: number;
  /** Whether three of the hub's heartbeats count instead, where it tells how long one takes. */
  readonly silenceFollows: boolean;
  readonly backoffMaxMs: number;
}

export interface StreamEars {
  event(event: StreamEvent): void;
  /** All events of a piece have been told. Nothing more is read before what it gives is settled. */
  batch(): Promise<void> | undefined;
  /** The phase is another; with a reason, if it is `stopped`. */
  phase(reason?: StopReason): void;
  error(error: StreamError): void;
  /** Gives the token to show, empty for none, or `null` if there is to be one and is not. */
  token(reason: TokenReason): Promise<string | null>;
  /** The server takes this request from nobody. Whether somebody has seen to it, and the stream was opened otherwise. */
  refused(status: number): boolean;
}

/** Characters of an event, and of a line. The hub's default bound is a sixteenth of it. */
const EVENT_CHARS_MAX = 1 << 20;

/** What is parsed in one go. An event has 6 characters at least, so that no piece has more than half of what a ring holds. */
const PIECE_CHARS = 3000;

/** A stream that lived so long, or brought an event, was worth its connection. */
const WORTH_MS = 1000;

/** Below it, a moment's trouble of the network would end the streams of a hub with quick heartbeats. */
const SILENCE_MIN_MS = 5000;

/** Statuses that another token may change. */
const UNAUTHORIZED = [401, 403];

/** Statuses that say nothing about the next request. */
const PASSING = [408, 425, 429];

const MESSAGES: Readonly<Record<ErrorCode, string>> = {
  network: 'the server cannot be reached, or does not let this origin read',
  unavailable: 'the server cannot give a stream now',
  unauthorized: 'the server does not take the token',
  refused: 'the server refuses this stream',
  not_a_stream: 'the answer is not an event stream',
  token: 'the token function failed, gave no token, or took too long',
  topics: 'the server does not take these topics, or there are too many',
  too_large: 'an event was too large and passed over',
  silent: 'the stream was silent for too long',
};

export function streamError(code: ErrorCode, fatal: boolean, status?: number): StreamError {
  return { code, message: MESSAGES[code], fatal, ...(status && { status }) };
}

export class Stream {
  /** The id of the last event; the stream goes on behind it. */
  cursor: string | null = null;
  phase: Phase = 'idle';
  clientId = '';
  readonly #options: StreamOptions;
  readonly #env: Env;
  readonly #ears: StreamEars;
  readonly #backoff: Backoff;
  #topics: readonly string[] = [];
  /** Each attempt has its own number; who finds another has been overtaken. */
  #turn = 0;
  #abort = new AbortController();
  #cancelTimer = () => {};
  #heardAt = 0;
  #silenceMs = 0;
  /** The status that refused the last token; another is asked for, once. */
  #refusal = 0;
  /** What went wrong since the stream was open last: told once each. */
  #reported = new Set<ErrorCode>();

  constructor(options: StreamOptions, env: Env, ears: StreamEars) {
    this.#options = options;
    this.#env = env;
    this.#ears = ears;
    this.#backoff = new Backoff(options.backoffMaxMs, env.random);
  }

  /** Opens a stream for these topics, instead of the one there is. */
  open(topics: readonly string[]): void {
    this.#topics = topics;
    this.#refusal = 0;
    this.#connect();
  }

  /** Ends the stream; `cursor` stays. */
  close(): void {
    this.#leave();
    this.#become('idle');
  }

  stop(reason: StopReason): void {
    this.#leave();
    // The day that an evicted stream is told to stay away ends when somebody acts: no failure then waits for it.
    this.#backoff.told(undefined);
    this.#become('stopped', reason);
  }

  /** The network or the token is another: what is under way may be dead or another's, what waits need not. */
  refresh(): void {
    if (this.phase !== 'idle' && this.phase !== 'stopped') this.#connect();
  }

  #become(phase: Phase, reason?: StopReason): void {
    this.phase = phase;
    this.#ears.phase(reason);
  }

  #leave(): void {
    this.#turn += 1;
    this.#cancelTimer();
    this.#abort.abort();
  }

  #connect(): void {
    this.#leave();
    this.#abort = new AbortController();
    this.#heardAt = this.#env.now();
    this.#silenceMs = this.#options.silenceMs;
    this.#become('connecting');
    this.#watch();
    void this.#attempt(this.#turn);
  }

  async #attempt(turn: number): Promise<void> {
    const isOvertaken = () => turn !== this.#turn;
    let token;
    try {
      token = await this.#ears.token(this.#refusal ? 'refused' : 'start');
    } catch {
      return isOvertaken() ? undefined : this.#wait('token');
    }
    if (isOvertaken()) return;
    if (token === null) return this.#refusal ? this.#onRefusal(this.#refusal) : this.#fail('token');
    let response;
    try {
      response = await this.#env.fetch(this.#address(), this.#request(token));
    } catch {
      // The error is not passed on: its text may hold the header that could not be sent.
      return isOvertaken() ? undefined : this.#wait('network');
    }
    if (isOvertaken()) return void response.body?.cancel().catch(() => {});
    if (response.status !== 200) return this.#judge(response);
    const isStream = /^text\/event-stream\s*(;|$)/i.test(response.headers.get('content-type') ?? '');
    if (!isStream || !response.body) return this.#fail('not_a_stream', 200);
    this.#onOpen(response);
    const openedAt = this.#env.now();
    const end = await this.#read(response.body.getReader(), turn);
    if (isOvertaken()) return;
    if (end || this.#env.now() - openedAt >= WORTH_MS) this.#backoff.succeeded();
    this.#wait();
  }

  #address(): string {
    const url = new URL(this.#options.url);
    for (const topic of this.#topics) url.searchParams.append('topic', topic);
    url.searchParams.set('client_id', this.clientId);
    return url.href;
  }

  #request(token: string): RequestInit {
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (token) headers['Authorization'] = `Bearer ${token}`;
    // Header values are bytes, one a character; the standard has the id in UTF-8.
    if (this.cursor) headers['Last-Event-ID'] = String.fromCharCode(...new TextEncoder().encode(this.cursor));
    return {
      headers,
      signal: this.#abort.signal,
      cache: 'no-store',
      credentials: this.#options.withCredentials ? 'include' : 'same-origin',
    };
  }

  #onOpen(response: Response): void {
    this.#heardAt = this.#env.now();
    this.#refusal = 0;
    this.#reported.clear();
    // Where a stream begins that has seen nothing: without it, what comes until its first event would be lost if it broke.
    this.cursor ??= response.headers.get('last-event-id') || null;
    const heartbeatMs = Number(response.headers.get('corecast-heartbeat')) * 1000;
    if (this.#options.silenceFollows && heartbeatMs > 0) {
      this.#silenceMs = Math.max(3 * heartbeatMs, SILENCE_MIN_MS);
      this.#cancelTimer();
      this.#watch();
    }
    this.#become('open');
  }

  /** Reads to the end, whichever it is. Whether the stream brought an event. */
  async #read(reader: ReadableStreamDefaultReader<Uint8Array>, turn: number): Promise<boolean> {
    let hasMoved = false;
    const decoder = new TextDecoder();
    const parser = new Parser(
      {
        block: (block) => {
          if (turn !== this.#turn) return;
          hasMoved ||= block.id !== undefined;
          this.#onBlock(block);
        },
        retry: (ms) => this.#backoff.told(ms),
      },
      EVENT_CHARS_MAX,
    );
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || turn !== this.#turn) return hasMoved;
        const text = decoder.decode(value, { stream: true });
        for (let start = 0; start < text.length; start += PIECE_CHARS) {
          this.#heardAt = this.#env.now();
          parser.feed(text.slice(start, start + PIECE_CHARS));
          if (turn === this.#turn) await this.#ears.batch();
          if (turn !== this.#turn) return hasMoved;
        }
      }
    } catch {
      // An abort, by the server or by us. A proxy may have made a clean end of one, so both mean the same here.
      return hasMoved;
    }
  }

  #onBlock({ type, data, topics, id, tooLarge }: Block): void {
    if (id !== undefined) this.cursor = id || null;
    if (tooLarge) this.#ears.error(streamError('too_large', false));
    if (data === undefined) return;
    this.#ears.event({ type, data, id: id ?? '', ...(topics.length > 0 && { topics }) });
    if (type === 'corecast.evicted') {
      this.#ears.batch();
      this.stop('evicted');
    }
  }

  /** Any status but 200. */
  #judge(response: Response): void {
    const { status } = response;
    void response.body?.cancel().catch(() => {});
    if (status === 204) return this.stop('gone');
    if (status >= 500 || PASSING.includes(status)) {
      // A date is not understood, and stands for nothing.
      return this.#wait('unavailable', status, 1000 * (Number(response.headers.get('retry-after')) || 0));
    }
    if (UNAUTHORIZED.includes(status) && !this.#refusal) {
      this.#refusal = status;
      return this.#connect();
    }
    this.#onRefusal(status);
  }

  /** There is no token that would help; without some topics it may. */
  #onRefusal(status: number): void {
    if (status !== 401 && this.#ears.refused(status)) return;
    this.#fail(UNAUTHORIZED.includes(status) ? 'unauthorized' : 'refused', status);
  }

  /** It will not get better by itself. */
  #fail(code: ErrorCode, status?: number): void {
    this.#ears.error(streamError(code, true, status));
    this.stop('refused');
  }

  #wait(code?: ErrorCode, status?: number, atLeastMs?: number): void {
    this.#leave();
    this.#become('waiting');
    this.#cancelTimer = this.#env.after(this.#backoff.next(atLeastMs), () => this.#connect());
    if (code && !this.#reported.has(code)) {
      this.#reported.add(code);
      this.#ears.error(streamError(code, false, status));
    }
  }

  #watch(): void {
    const left = this.#heardAt + this.#silenceMs - this.#env.now();
    if (left <= 0) return this.#wait('silent');
    this.#cancelTimer = this.#env.after(left, () => this.#watch());
  }
}
