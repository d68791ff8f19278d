// What the admin API says, as the page reads it. The API's own description is /openapi.json.

/** Totals by reason, since the hub started. */
export type Counts = Record<string, number>;

export type HubState = 'starting' | 'running' | 'draining';

/** One event of /api/live: the hub as it is now, and what it has counted since it started. */
export interface Sample {
  at: string;
  uptime_seconds: number;
  state: HubState;
  version: string;
  dry_run: boolean;
  streams: number;
  streams_max: number;
  connections: number;
  users: number;
  totals: Counts;
  closes: Counts;
  refusals: Counts;
  would: Counts;
  latency: Latency | null;
  shards: ShardSample[];
  slow: { behind: number; waiting_for_log: number; most_lag_events: number | null };
  history: { events: number; bytes: number };
  sequencer_queue: number;
  log: LogSample | null;
  memory: { resident_bytes: number | null };
  top_users: UserRow[];
  top_topics: TopicRow[];
  survey_age_seconds: number | null;
  drain: Drain | null;
}

/** From publish to the last send, over the last second. */
export interface Latency {
  p50_ms: number | null;
  p90_ms: number | null;
  p99_ms: number | null;
  max_ms: number | null;
  count: number;
}

export interface ShardSample {
  shard: number;
  streams: number;
  connections: number;
  behind: number;
  deliveries: number;
  bytes: number;
  turns: number;
  history_events: number;
}

export interface LogSample {
  kind: string;
  state?: string;
  bytes?: number;
  segments?: number;
  append_p99_ms?: number | null;
  last_sync?: string | null;
}

export interface Drain {
  left: number;
  of: number;
  over_seconds: number;
}

export interface UserRow {
  /** With `anonymous`, the client's id. */
  user: string | null;
  anonymous: boolean;
  connections: number;
}

export interface TopicRow {
  selector: string;
  subscribers: number;
}

/** One line of the connection table. */
export interface ConnectionRow {
  id: string;
  shard: number;
  state: string;
  /** With `anonymous`, the client's id if it has one. */
  user: string | null;
  anonymous: boolean;
  address: string;
  /** Of its stream; null before there is one. */
  age_seconds: number | null;
  silence_seconds: number | null;
  bytes: number;
  lag_events: number;
  /** Fed from history or the log. */
  behind: boolean;
  expires: string | null;
}

/** A row, and what only a single connection is asked for. What a later hub adds is shown as it comes. */
export type ConnectionDetails = ConnectionRow & { selectors?: string[]; grants?: string[] } & Record<string, unknown>;

export interface ConnectionPage {
  connections: ConnectionRow[];
  matched: number;
  next: string | null;
  as_of: string;
}

export interface Change {
  setting: string;
  from: string;
  to: string;
}

export interface Reloaded {
  applied: Change[];
  needs_restart: Change[];
}

/** RFC 9457, with the field that is to blame. */
export interface Problem {
  title?: string;
  status?: number;
  detail?: string;
  field?: string;
}
