// The words between a tab and the session that has its stream, and what pages see of them.
//
// Everything here is plain data: it goes through `postMessage`.

/** An event as a page sees it. */
export interface StreamEvent {
  /** `message`, what the publisher chose, or `corecast.…`: the hub's own. */
  readonly type: string;
  readonly data: string;
  /** The event's id; empty if it has none. */
  readonly id: string;
  /** The topics it was published to, where the hub tells (`stream.topics`). Not so of events to users or to all. */
  readonly topics?: readonly string[];
}

/**
 * - `connecting`: a request is under way.
 * - `open`: events come.
 * - `waiting`: the stream broke, and comes back by itself.
 * - `paused`: no tab needs it (all are hidden).
 * - `stopped`: it does not come back by itself; `Status.reason` says why.
 */
export type State = 'connecting' | 'open' | 'waiting' | 'paused' | 'stopped';

/** Why a stream has stopped. */
export type StopReason =
  /** A newer stream of the same user has its place. */
  | 'evicted'
  /** The server wants no stream from here (204). */
  | 'gone'
  /** Refused, or what came is no event stream. An error event said what. */
  | 'refused'
  /** The page closed it. */
  | 'closed';

export type ErrorCode =
  /** The server cannot be reached, or does not let pages of this origin read (CORS): a page is not told which. */
  | 'network'
  /** The server has trouble (429, 5xx): the stream comes back. */
  | 'unavailable'
  /** 401 or 403, with a fresh token, too. */
  | 'unauthorized'
  /** The server refuses this request, whoever asks. */
  | 'refused'
  /** The answer is no event stream. */
  | 'not_a_stream'
  /** The token function failed or took too long: it is asked again later. Fatal if it gave nothing that is a token. */
  | 'token'
  /** More topics than one stream can have, or topics that the server does not take. */
  | 'topics'
  /** An event above the bound of memory was passed over. */
  | 'too_large'
  /** No byte for too long: the stream is taken for dead, and opened anew. */
  | 'silent';

/** Something went wrong. Never holds a token, an address or words of the server. */
export interface StreamError {
  readonly code: ErrorCode;
  readonly message: string;
  /** The HTTP status, where there was one. */
  readonly status?: number;
  /** Whether the stream has stopped because of it. */
  readonly fatal: boolean;
}

/** Why a token is asked for: for a stream that begins, for one that goes on, or because the last one was refused. */
export type TokenReason = 'start' | 'expiring' | 'refused';

/** One stream to the hub. */
export interface ConnectionRecord {
  /** Made up by the client, for each stream a new one. */
  readonly id: string;
  readonly user: string;
  /** When it was opened, in milliseconds of the epoch. */
  readonly since: number;
  /** The tab that holds it; `worker` if a SharedWorker does. */
  readonly tab: string;
}

/** What a session is and has done since it began. */
export interface Status {
  readonly state: State;
  readonly reason?: StopReason;
  /** When it stopped. */
  readonly stoppedAt?: number;
  /** Tabs that share the stream. */
  readonly tabs: number;
  /** The open stream. */
  readonly connection?: ConnectionRecord;
  /** Streams that this user has in this browser, as far as they are known here. */
  readonly connections: readonly ConnectionRecord[];
  readonly opens: number;
  readonly reconnects: number;
  readonly gaps: number;
}

/** What all tabs of a session have to agree on; the first tab decides. */
export interface SessionConfig {
  /** Absolute, without topics. */
  readonly url: string;
  /** Whose stream it is; empty if the page did not say. */
  readonly user: string;
  readonly withCredentials: boolean;
  readonly silenceMs: number;
  /** Whether the hub's heartbeat, where it tells it, counts instead. */
  readonly silenceFollows: boolean;
  readonly backoffMaxMs: number;
  readonly returnAfterMs: number;
}

export interface Join {
  t: 'join';
  tab: string;
  config: SessionConfig;
  clientId: string;
  topics: string[];
  /** A token that is a plain text. */
  token: string | null;
  /** Whether the tab has a token function to ask. */
  asks: boolean;
  /** Whether the page has just called `connect`: somebody acts. Not so a tab that comes back to a session. */
  fresh: boolean;
  /** Ids that this tab has seen, oldest first; the last is where it wants to go on. */
  seen: string[];
  /** What the tab knows of a session before this one that had stopped. */
  stopped: { reason: StopReason; at: number } | null;
  hidden: boolean;
  /** How long it may be hidden before it needs no stream; `null`: it always needs one. */
  hiddenMaxMs: number | null;
  /** A Web Lock that the tab holds as long as it lives; `null` where there are none. */
  lock: string | null;
}

export type ToSession =
  | Join
  | { t: 'leave' }
  | { t: 'topics'; topics: string[] }
  /**
   * The answer to `ask`: `null` if the function failed, empty if it gave nothing that is a token. `n` of 0: another
   * token, unasked; `null` if the tab has a function to ask now.
   */
  | { t: 'token'; n: number; token: string | null }
  | { t: 'hidden'; hidden: boolean }
  | { t: 'online' }
  /** All up to this number has been handled. */
  | { t: 'ack'; n: number }
  /** Somebody acts: a stopped stream shall open again. */
  | { t: 'open' }
  | { t: 'pong' }
  /** A tab asks whether its worker lives. */
  | { t: 'call' };

export type ToTab =
  /**
   * `n` grows with each of them, and is what a receipt names. `last` is the id up to which the tab has all that is for it:
   * the events between may have been for others.
   */
  | { t: 'events'; n: number; events: StreamEvent[]; last: string }
  /** `cursor`: where a tab that has seen nothing yet goes on. */
  | { t: 'status'; status: Status; cursor: string | null }
  | { t: 'error'; error: StreamError }
  | { t: 'ask'; n: number; reason: TokenReason }
  /** The stream's new name, to be kept. */
  | { t: 'client_id'; id: string }
  | { t: 'ping' }
  /** The answer to `call`. */
  | { t: 'here' }
  /** The session does not know this tab (any more): it is to join again. */
  | { t: 'lost' };

/** The hub's own events, and notices of the client, begin with this. No publisher's do. */
export const CONTROL_PREFIX = 'corecast.';

/** Changes when tabs and sessions of different releases would not understand each other. */
export const PROTOCOL = 1;
