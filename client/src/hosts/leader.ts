// Without a SharedWorker: one tab hosts the session, chosen by a Web Lock, and the others reach it by BroadcastChannels.
//
// Whoever holds the lock named like the session is the leader; the browser hands it on when that tab is gone. Every tab has
// a channel of its own for what it is told, so that nobody reads what is meant for others. A new leader says `hello`, all
// join anew with the ids they have seen, and it begins where the last of them stands.
// Invariant: a tab believes one leader at a time; what an older one still says is dropped, and comes again.

import { openCensus } from '../census.ts';
import { realEnv } from '../env.ts';
import type { ToSession, ToTab } from '../protocol.ts';
import { type Port, Session } from '../session.ts';
import { countTabs, GATHER_MS, holdLock, type Link, type LinkEars, type LinkOptions, watchLock } from './link.ts';
import { directPort } from './solo.ts';

type ToLeader = { hello: string } | { from: string; message: ToSession };

interface ToFollower {
  leader: string;
  message: ToTab;
}

export function openLeader(options: LinkOptions, ears: LinkEars): Link {
  const { name, tab } = options;
  const lock = `${name} ${tab}`;
  const hall = new BroadcastChannel(name);
  const inbox = new BroadcastChannel(lock);
  const closing = new AbortController();
  let leader: string | undefined;
  let lead: Lead | undefined;
  const releases: (() => void)[] = [];

  inbox.onmessage = ({ data }: MessageEvent<ToFollower>) => {
    leader ??= data.leader;
    if (data.leader === leader && !lead) ears.message(data.message);
  };
  hall.onmessage = ({ data }: MessageEvent<ToLeader>) => {
    if ('from' in data) return lead?.receive(data.from, data.message);
    leader = data.hello;
    ears.ready(lock);
  };

  const beginToLead = async () => {
    const tabs = await countTabs(name);
    if (closing.signal.aborted) return;
    lead = new Lead(options, ears, tabs);
    leader = tab;
    hall.postMessage({ hello: tab } satisfies ToLeader);
    ears.ready(lock);
  };
  const keep = (release: () => void) => {
    if (closing.signal.aborted) release();
    else releases.push(release);
  };
  void holdLock(lock).then((release) => {
    keep(release);
    if (closing.signal.aborted) return;
    // If there is a leader, it answers; if not, one will say hello, and it may be this tab.
    ears.ready(lock);
    const untilReplaced = () =>
      new Promise<void>((resolve) => {
        keep(resolve);
        if (!closing.signal.aborted) void beginToLead();
      });
    navigator.locks.request(name, { signal: closing.signal }, untilReplaced).catch(() => {});
  });

  const post = (message: ToSession) => {
    if (lead) lead.receive(tab, message);
    else hall.postMessage({ from: tab, message } satisfies ToLeader);
  };
  return {
    post,
    close() {
      if (!lead) post({ t: 'leave' });
      closing.abort();
      lead?.close();
      for (const release of releases) release();
      hall.close();
      inbox.close();
    },
  };
}

/** The leader's part. */
class Lead {
  readonly #options: LinkOptions;
  readonly #session: Session;
  readonly #ports = new Map<string, Port & { close?: () => void }>();

  constructor(options: LinkOptions, ears: LinkEars, tabs: number) {
    this.#options = options;
    this.#session = new Session(realEnv, options.config, options.tab, openCensus(), tabs, GATHER_MS);
    this.#ports.set(options.tab, directPort(ears));
  }

  receive(from: string, message: ToSession): void {
    this.#session.receive(this.#ports.get(from) ?? this.#welcome(from), message);
    if (message.t === 'leave') this.#forget(from);
  }

  close(): void {
    this.#session.close();
    for (const tab of this.#ports.keys()) this.#forget(tab);
  }

  #welcome(tab: string): Port {
    const lock = `${this.#options.name} ${tab}`;
    const channel = new BroadcastChannel(lock);
    const post = (message: ToTab) => channel.postMessage({ leader: this.#options.tab, message } satisfies ToFollower);
    const port = { post, close: () => channel.close() };
    this.#ports.set(tab, port);
    watchLock(lock, () => this.#forget(tab));
    return port;
  }

  #forget(tab: string): void {
    const port = this.#ports.get(tab);
    if (!port) return;
    this.#ports.delete(tab);
    this.#session.leave(port);
    port.close?.();
  }
}
