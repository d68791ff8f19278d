// A tab's way to a session in a SharedWorker.

import type { ToTab } from '../protocol.ts';
import { hasLocks, holdLock, type Link, type LinkEars, type LinkOptions } from './link.ts';

/**
 * Throws if the page may have no such worker; calls `failed` if its script cannot be loaded, which every tab of the origin
 * finds in the same way, so that all of them fall back alike.
 */
export function openSharedWorker(script: string, { name, tab }: LinkOptions, ears: LinkEars, failed: () => void): Link {
  const worker = new SharedWorker(script, name);
  const { port } = worker;
  let isClosed = false;
  let release = () => {};
  worker.onerror = () => {
    if (!isClosed) failed();
  };
  port.onmessage = ({ data }: MessageEvent<ToTab>) => ears.message(data);
  const begin = (lock: string | null) => {
    if (!isClosed) ears.ready(lock);
  };
  if (hasLocks()) {
    const lock = `${name} ${tab}`;
    holdLock(lock).then(
      (letGo) => {
        release = letGo;
        if (isClosed) letGo();
        begin(lock);
      },
      () => begin(null),
    );
  } else {
    queueMicrotask(() => begin(null));
  }
  return {
    post: (message) => port.postMessage(message),
    close() {
      isClosed = true;
      port.postMessage({ t: 'leave' });
      port.close();
      release();
    },
  };
}
