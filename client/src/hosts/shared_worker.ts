// A tab's way to a session in a SharedWorker.
//
// Nobody is told when a worker is gone, and it may go with the process of the tab that began it. So the worker holds a Web
// Lock, too, and a tab that gets it has outlived its worker. Where there are no Web Locks the tab calls its worker.

import type { ToTab } from '../protocol.ts';
import { hasLocks, holdLock, type Link, type LinkEars, type LinkOptions, watchLock } from './link.ts';
import { Pulse } from './pulse.ts';

/**
 * A worker answers a tab that joins at once. One that does not may have failed without telling this tab: Chromium tells those
 * who were there when the script could not be loaded, and can miss who came that moment.
 */
const ANSWER_MS = 5000;

/** The name of the worker's own lock. Not a tab's: those have a space behind the session's name. */
export const workerLock = (name: string): string => `${name}#worker`;

/**
 * Throws if the page may have no such worker; calls `failed` if its script cannot be loaded, which every tab of the origin
 * finds in the same way, so that all of them fall back alike; calls `gone` if the worker is gone.
 */
export function openSharedWorker(
  script: string,
  { name, tab }: LinkOptions,
  ears: LinkEars,
  failed: () => void,
  gone: () => void,
): Link {
  const worker = new SharedWorker(script, name);
  const { port } = worker;
  const closing = new AbortController();
  const { signal } = closing;
  let release = () => {};
  worker.onerror = () => {
    if (!signal.aborted) failed();
  };
  let isWatched = false;
  const silence = setTimeout(() => !signal.aborted && gone(), ANSWER_MS);
  const pulse = new Pulse(() => port.postMessage({ t: 'call' }), gone);
  port.onmessage = ({ data }: MessageEvent<ToTab>) => {
    pulse.heard();
    clearTimeout(silence);
    // It has its lock before it says anything.
    if (!isWatched && hasLocks()) watchLock(workerLock(name), gone, signal);
    isWatched = true;
    ears.message(data);
  };
  const begin = (lock: string | null) => {
    if (!signal.aborted) ears.ready(lock);
  };
  if (hasLocks()) {
    const lock = `${name} ${tab}`;
    holdLock(lock).then(
      (letGo) => {
        release = letGo;
        if (signal.aborted) letGo();
        begin(lock);
      },
      () => begin(null),
    );
  } else {
    queueMicrotask(() => begin(null));
    pulse.start();
  }
  return {
    post: (message) => port.postMessage(message),
    close() {
      closing.abort();
      clearTimeout(silence);
      pulse.stop();
      port.postMessage({ t: 'leave' });
      port.close();
      release();
    },
  };
}
