// Without a SharedWorker: one tab hosts the session, chosen by a Web Lock, and the others reach it by BroadcastChannels.
//
// Whoever holds the lock named like the session is the leader; the browser hands it on when that tab is gone. Every tab has
// a channel of its own for what it is told, so that nobody reads what is meant for others. A new leader says `hello`, all
// join anew with the ids they have seen, and it begins where the last of them stands.
// A leader that hangs (a loop, a dialog) keeps its lock, so the others call it now and then; one that is not answered takes
// the lock away. The old leader learns of it when it runs again, before it believes what its stream brings.
// Invariant: a tab believes one leader at a time; what an older one still says is dropped, and comes again.

import { openCensus } from '../census.ts';
import { type Env, realEnv } from '../env.ts';
import type { ToSession, ToTab } from '../protocol.ts';
import { type Port, Session } from '../session.ts';
import { countTabs, GATHER_MS, heldLocks, holdLock, type Link, type LinkEars, type LinkOptions, watchLock } from './link.ts';
import { Pulse } from './pulse.ts';

type ToHall = { hello: string } | { call: true } | { here: true } | { from: string; message: ToSession };

interface ToFollower {
  leader: string;
  message: ToTab;
}

/** Bytes that come so soon after others were not read by a page that hung in between. */
const FRESH_MS = 3000;

/** Calls `forbidden` if the page may have no Web Locks: one of an opaque origin, such as a sandboxed frame. */
export function openLeader(options: LinkOptions, ears: LinkEars, forbidden: () => void): Link {
  const { name, tab } = options;
  const lock = `${name} ${tab}`;
  const hall = new BroadcastChannel(name);
  const inbox = new BroadcastChannel(lock);
  const closing = new AbortController();
  const say = (message: ToHall) => hall.postMessage(message);
  let leader: string | undefined;
  let lead: Lead | undefined;
  let isQueued = false;
  let releaseTab = () => {};
  let releaseLead = () => {};
  const pulse = new Pulse(
    () => say({ call: true }),
    () => want({ steal: true }),
  );

  inbox.onmessage = ({ data }: MessageEvent<ToFollower>) => {
    pulse.heard();
    leader ??= data.leader;
    if (data.leader === leader && !lead) ears.message(data.message);
  };
  hall.onmessage = ({ data }: MessageEvent<ToHall>) => {
    if ('from' in data) return lead?.receive(data.from, data.message);
    // Firefox hands messages to a page that waits in a synchronous request, but runs no microtask of it, nor its stream.
    if ('call' in data) return queueMicrotask(() => lead && say({ here: true }));
    pulse.heard();
    if (!('hello' in data)) return;
    leader = data.hello;
    if (lead) stepDown();
    else ears.ready(lock);
  };

  const resign = () => {
    lead?.close();
    lead = undefined;
    releaseLead();
    releaseLead = () => {};
  };

  /** Another leads now. */
  const stepDown = () => {
    resign();
    pulse.start();
    if (!isQueued) want({ signal: closing.signal });
    ears.ready(lock);
  };

  /** Waits for the lock, or takes it away. */
  const want = (how: LockOptions) => {
    let turn: (() => void) | undefined;
    isQueued ||= !how.steal;
    const untilReplaced = () =>
      new Promise<void>((release) => {
        if (!how.steal) isQueued = false;
        if (closing.signal.aborted) return release();
        releaseLead = turn = release;
        void beginToLead(turn);
      });
    // It was taken away, unless the page never had it.
    navigator.locks.request(name, how, untilReplaced).catch(() => turn && turn === releaseLead && stepDown());
  };

  const beginToLead = async (turn: () => void) => {
    const tabs = await countTabs(name);
    if (turn !== releaseLead || closing.signal.aborted) return;
    pulse.stop();
    lead = new Lead(options, ears, tabs, { ...realEnv, fetch: fetchAsLeader });
    leader = tab;
    say({ hello: tab });
    ears.ready(lock);
  };

  /** A page that hung may have lost its place, and its stream to the tab that has it: then nothing comes of a request. */
  const fetchAsLeader: Env['fetch'] = async (url, init) => {
    if (!(await stillLeads())) return new Promise(() => {});
    const answer = await fetch(url, init);
    if (answer.status !== 200 || !answer.body) return answer;
    let readAt = Date.now();
    const doubt = new TransformStream<Uint8Array, Uint8Array>({
      async transform(bytes, out) {
        if (Date.now() - readAt > FRESH_MS && !(await stillLeads())) return;
        readAt = Date.now();
        out.enqueue(bytes);
      },
    });
    return new Response(answer.body.pipeThrough(doubt), answer);
  };

  const stillLeads = async () => {
    const held = await heldLocks();
    const holderOf = (wanted: string) => held.find((other) => other.name === wanted)?.clientId;
    const isSo = holderOf(name) === holderOf(lock);
    if (!isSo && lead) stepDown();
    return isSo;
  };

  void holdLock(lock).then((release) => {
    releaseTab = release;
    if (closing.signal.aborted) return release();
    // If there is a leader, it answers; if not, one will say hello, and it may be this tab.
    ears.ready(lock);
    want({ signal: closing.signal });
    pulse.start();
  }, forbidden);

  const post = (message: ToSession) => {
    if (lead) lead.receive(tab, message);
    else say({ from: tab, message });
  };
  return {
    post,
    close() {
      if (!lead) post({ t: 'leave' });
      closing.abort();
      resign();
      pulse.stop();
      releaseTab();
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
  readonly #closing = new AbortController();

  constructor(options: LinkOptions, ears: LinkEars, tabs: number, env: Env) {
    this.#options = options;
    this.#session = new Session(env, options.config, options.tab, openCensus(), tabs, GATHER_MS);
    // A session that is over has nothing more to say to the page, which asks another.
    const own: Port = { post: (message) => queueMicrotask(() => this.#ports.has(options.tab) && ears.message(message)) };
    this.#ports.set(options.tab, own);
  }

  receive(from: string, message: ToSession): void {
    this.#session.receive(this.#ports.get(from) ?? this.#welcome(from), message);
    if (message.t === 'leave') this.#forget(from);
  }

  close(): void {
    this.#closing.abort();
    this.#session.close();
    for (const tab of this.#ports.keys()) this.#forget(tab);
  }

  #welcome(tab: string): Port {
    const lock = `${this.#options.name} ${tab}`;
    const channel = new BroadcastChannel(lock);
    const post = (message: ToTab) => channel.postMessage({ leader: this.#options.tab, message } satisfies ToFollower);
    const port = { post, close: () => channel.close() };
    this.#ports.set(tab, port);
    watchLock(lock, () => this.#forget(tab), this.#closing.signal);
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
