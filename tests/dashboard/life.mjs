// What a hub does as time goes by, made up: streams come and go, load swings, somebody is slow. The same on every run.
//
// Not here: how anybody is told (`mock_hub.mjs`).

/** Names that would run, break out, or hide if anybody took them for markup. */
export const HOSTILE_USERS = [
  '<img src=x onerror="window.pwned=1">',
  '"><script>window.pwned=1</script>',
  "alice' onmouseover='window.pwned=1",
  '\u202Eevil\u202C 😀',
  'user-with-a-name-that-goes-on-and-on-'.repeat(6),
];
export const HOSTILE_TOPIC = '<svg onload="window.pwned=1">{/path*}{?a,b}';

export const SHARDS = 4;
export const STREAMS_MAX = 10_000;
const DEFAULTS = { isBusy: true, connections: 1240, dryRun: false, log: true };

/** Same numbers on every run. */
function randomNumbers(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export class Life {
  constructor(settings) {
    this.settings = { ...DEFAULTS, ...settings };
    this.begin();
  }

  /** A fresh run: everything counted since the start begins again. */
  begin() {
    this.random = randomNumbers(7);
    this.now = this.now ?? Date.now();
    this.lived_ms = 0;
    this.load = 0;
    this.startedAt = this.now - 3000 * 1000;
    this.state = 'running';
    this.drained = null;
    this.totals = {};
    this.closes = {
      peer_gone: 18_203,
      moved: 9_000,
      user_limit: 57,
      evicted: 412,
      replaced: 96,
      dead_peer: 31,
      token_expired: 12,
      slow_consumer: 4,
    };
    this.refusals = { connection_limit: 0, user_limit: 57, address_limit: 3 };
    this.would = this.settings.dryRun ? { user_limit: 210, evicted: 34 } : {};
    this.shards = Array.from({ length: SHARDS }, () => ({ deliveries: 9e6, bytes: 2e9, turns: 4e5 }));
    this.rows = this.makeRows();
  }

  makeRows() {
    return Array.from({ length: this.settings.connections }, (_, index) => {
      const anonymous = index % 11 === 10;
      const behind = index % 97 === 5;
      return {
        id: `${index % SHARDS}-${index}-1`,
        shard: index % SHARDS,
        state: 'streaming',
        user: anonymous
          ? index % 2 === 0
            ? `tab-${index}`
            : null
          : (HOSTILE_USERS[index] ?? `user-${Math.floor(index / 2)}`),
        anonymous,
        address:
          index % 5 === 0
            ? `[2001:db8::${(index + 1).toString(16)}]:${50_000 + index}`
            : `10.1.${index >> 8}.${index & 255}:${50_000 + index}`,
        age_seconds: ((index * 7919) % 86_400) + this.random(),
        silence_seconds: ((index * 31) % 150) / 10,
        bytes: (index * 104_729) % 9_000_000,
        lag_events: behind ? 10 + index : 0,
        behind,
        expires: anonymous ? null : new Date(Date.now() + 3_600_000).toISOString(),
        topics: [
          'prices/{symbol}',
          index % 3 === 0 ? 'news' : `orders/${index}`,
          ...(index === 0 ? [HOSTILE_TOPIC] : []),
        ],
      };
    });
  }

  /** One second goes by. */
  liveOn() {
    this.now += 1000;
    this.lived_ms += 1000;
    this.countOn();
    if (this.drained !== null) {
      const step = Math.ceil(this.drained.of / this.drained.over_seconds);
      this.drained.left = Math.max(0, this.drained.left - step);
    }
  }

  countOn() {
    const second = this.lived_ms / 1000;
    const wave = 1 + 0.35 * Math.sin(second / 23) + 0.12 * Math.sin(second / 5);
    const burst = second % 90 > 70 ? 1.8 : 1;
    this.load = this.settings.isBusy ? wave * burst * (0.94 + 0.12 * this.random()) : 0;
    this.shards.forEach((shard, index) => {
      const deliveries = Math.round(38_000 * this.load * (0.85 + 0.1 * index));
      shard.deliveries += deliveries;
      shard.bytes += deliveries * 214;
      shard.turns += Math.round(2_400 * Math.min(1, this.load));
    });
    this.totals.published = (this.totals.published ?? 600_000) + Math.round(122 * this.load);
    if (this.settings.isBusy) {
      this.closes.peer_gone = (this.closes.peer_gone ?? 0) + Math.round(6 * this.random());
      if (this.random() > 0.6) this.closes.evicted = (this.closes.evicted ?? 0) + 1;
      if (this.random() > 0.9) this.refusals.user_limit = (this.refusals.user_limit ?? 0) + 1;
      if (this.settings.dryRun) this.would.user_limit += 1;
    }
  }

  sum(name) {
    return this.shards.reduce((sum, shard) => sum + shard[name], 0);
  }

  sample() {
    const streams =
      this.drained === null
        ? Math.round(this.rows.length * (7.2 + 0.2 * Math.sin(this.lived_ms / 41_000)))
        : this.drained.left;
    const slow = this.settings.isBusy ? 11 + Math.round(4 * this.random()) : 0;
    const p50 = 0.8 + 0.9 * this.load * this.load;
    return {
      at: new Date(this.now).toISOString(),
      uptime_seconds: (this.now - this.startedAt) / 1000,
      state: this.state,
      version: '0.1.0',
      dry_run: this.settings.dryRun,
      streams,
      streams_max: STREAMS_MAX,
      connections: streams + 14,
      users: Math.round(streams * 0.81),
      totals: {
        deliveries: this.sum('deliveries'),
        bytes: this.sum('bytes'),
        accepted: 31_220,
        streams_opened: 28_760,
        heartbeats: 88_400,
        short_sends: 1_204,
        gaps: 7,
        resumes: 9_310,
        dead_peers: 31,
        ...this.totals,
      },
      closes: this.closes,
      refusals: this.refusals,
      would: this.would,
      latency:
        this.load > 0
          ? {
              p50_ms: p50,
              p90_ms: p50 * 2.1,
              p99_ms: p50 * (4 + 2 * this.random()),
              max_ms: p50 * (9 + 12 * this.random()),
              count: 120,
            }
          : null,
      shards: this.shards.map((shard, index) => ({
        shard: index,
        streams: Math.round(streams / SHARDS) + index - 2,
        connections: Math.round(streams / SHARDS) + index + 1,
        behind: index === 2 ? slow : 0,
        ...shard,
        history_events: 65_536,
      })),
      slow: { behind: slow, waiting_for_log: slow > 13 ? 1 : 0, most_lag_events: slow * 190 },
      history: { events: 65_536, bytes: 14_680_064 },
      sequencer_queue: this.settings.isBusy ? Math.round(5 * this.random()) : 0,
      log: this.settings.log
        ? {
            kind: 'file',
            state: 'ok',
            bytes: 412_000_000 + this.totals.published * 10,
            segments: 7,
            append_p99_ms: 1.8 + this.random(),
            last_sync: new Date(this.now - 4).toISOString(),
          }
        : null,
      memory: { resident_bytes: 41_943_040 },
      top_users: this.topUsers(),
      top_topics: [
        { selector: 'prices/{symbol}', subscribers: 7420 },
        { selector: 'news', subscribers: 2473 },
        { selector: HOSTILE_TOPIC, subscribers: 340 },
        ...Array.from({ length: 7 }, (_, index) => ({ selector: `orders/${index}`, subscribers: 96 - 11 * index })),
      ],
      survey_age_seconds: 2.4,
      drain: this.drained,
    };
  }

  topUsers() {
    const named = HOSTILE_USERS.slice(0, 4).map((user, index) => ({
      user,
      anonymous: false,
      connections: 40 - 3 * index,
    }));
    const usual = Array.from({ length: 5 }, (_, index) => ({
      user: `user-${index + 20}`,
      anonymous: false,
      connections: 5 - index,
    }));
    return [{ user: 'tab-10', anonymous: true, connections: 112 }, ...named, ...usual];
  }

  drain() {
    const streams = this.sample().streams;
    this.state = 'draining';
    this.drained = { left: streams, of: streams, over_seconds: 30 };
  }
}
