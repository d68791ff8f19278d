// The script of the SharedWorker: hosts one session, and notices tabs that are gone.
//
// A tab that can holds a Web Lock for as long as it lives; the worker waits for the same lock. Pages without TLS have no
// Web Locks: those are asked now and then, and one that is silent for long (it may be frozen) joins again when it wakes.

import { openCensus } from './census.ts';
import { realEnv } from './env.ts';
import { hasLocks, watchLock } from './hosts/link.ts';
import type { ToSession } from './protocol.ts';
import { type Port, Session } from './session.ts';

const PING_MS = 20_000;

/** Pings in a row without an answer, after which a tab is taken for gone. */
const PINGS_MAX = 3;

let session: Session | undefined;

function begin(messages: MessagePort): void {
  const port: Port = { post: (message) => messages.postMessage(message) };
  let watched: string | undefined;
  let unanswered = 0;
  let pings: ReturnType<typeof setInterval> | undefined;
  const leave = () => {
    clearInterval(pings);
    watched = pings = undefined;
    session?.leave(port);
  };
  const ping = () => {
    unanswered += 1;
    if (unanswered > PINGS_MAX) leave();
    else port.post({ t: 'ping' });
  };
  messages.onmessage = ({ data }: MessageEvent<ToSession>) => {
    unanswered = 0;
    if (data.t === 'join') {
      session ??= new Session(realEnv, data.config, 'worker', openCensus());
      if (data.lock && hasLocks()) {
        if (watched !== data.lock) watchLock(data.lock, leave);
        watched = data.lock;
      } else {
        pings ??= setInterval(ping, PING_MS);
      }
    }
    // Messages of tabs whose session has ended with an earlier worker have nobody to go to.
    if (session) session.receive(port, data);
    else port.post({ t: 'lost' });
    if (data.t === 'leave') leave();
  };
}

(globalThis as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = ({ ports: [port] }) => {
  if (port) begin(port);
};
