// The script of the SharedWorker: hosts one session, and notices tabs that are gone.
//
// A tab that can holds a Web Lock for as long as it lives; the worker waits for the same lock. Pages without TLS have no
// Web Locks: those are asked now and then, and one that is silent for long (it may be frozen) joins again when it wakes.

import { openCensus } from './census.ts';
import { realEnv } from './env.ts';
import { countTabs, GATHER_MS, hasLocks, holdLock, watchLock } from './hosts/link.ts';
import { workerLock } from './hosts/shared_worker.ts';
import type { ToSession } from './protocol.ts';
import { type Port, Session } from './session.ts';

const PING_MS = 20_000;

/** Pings in a row without an answer, after which a tab is taken for gone. */
const PINGS_MAX = 3;

let session: Session | undefined;

/** A worker may follow one that is gone; then it waits for the tabs of that. */
let tabs = 0;

const { name } = globalThis as unknown as { name: string };

/** Nothing is heard or said before the worker can be told from a dead one. */
const ready = hasLocks()
  ? Promise.all([holdLock(workerLock(name)), countTabs(name).then((count) => (tabs = count))]).catch(() => {})
  : Promise.resolve();

function begin(messages: MessagePort): void {
  const port: Port = { post: (message) => messages.postMessage(message) };
  let watching: AbortController | undefined;
  let unanswered = 0;
  let pings: ReturnType<typeof setInterval> | undefined;
  const leave = () => {
    clearInterval(pings);
    watching?.abort();
    watching = pings = undefined;
    session?.leave(port);
  };
  const ping = () => {
    unanswered += 1;
    if (unanswered > PINGS_MAX) leave();
    else port.post({ t: 'ping' });
  };
  const onMessage = (data: ToSession) => {
    unanswered = 0;
    if (data.t === 'call') return port.post({ t: 'here' });
    if (data.t === 'join') {
      session ??= new Session(realEnv, data.config, 'worker', openCensus(), tabs, GATHER_MS);
      if (data.lock && hasLocks()) {
        if (!watching) watchLock(data.lock, leave, (watching = new AbortController()).signal);
      } else {
        pings ??= setInterval(ping, PING_MS);
      }
    }
    // Messages of tabs whose session has ended with an earlier worker have nobody to go to.
    if (session) session.receive(port, data);
    else port.post({ t: 'lost' });
    if (data.t === 'leave') leave();
  };
  messages.onmessage = ({ data }: MessageEvent<ToSession>) => void ready.then(() => onMessage(data));
}

(globalThis as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = ({ ports: [port] }) => {
  if (port) begin(port);
};
