// Follows /api/live for as long as the page is open, over lost networks and restarts.

import { Failure } from './admin';
import type { Admin } from './admin';
import type { Sample } from './api';
import { readItems } from './sse';

/** Samples come each second. After this silence the stream is taken for dead, whatever the network says. */
const SILENCE_MS_MAX = 6000;

/** How long to wait after a failure: doubled from the first to the second, so that a restart is seen soon. */
const PAUSE_MS_MIN = 500;
const PAUSE_MS_MAX = 5000;

export type Link =
  | { state: 'connecting' }
  | { state: 'open' }
  /** `since` by the page's clock, in ms; `why` for people. A hub that `isAnswering` says no to this page. */
  | { state: 'lost'; since: number; why: string; isAnswering: boolean };

export interface Follower {
  onSample(sample: Sample): void;
  onLink(link: Link): void;
}

/** Goes on until `signal` ends it. */
export async function followLive(admin: Admin, follower: Follower, signal: AbortSignal): Promise<void> {
  let pause = PAUSE_MS_MIN;
  let lostSince: number | null = null;
  while (!signal.aborted) {
    await admin.untilUnlocked();
    let why = 'the stream ended';
    let isAnswering = false;
    try {
      await oneStream(admin, follower, signal, () => {
        pause = PAUSE_MS_MIN;
        lostSince = null;
      });
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Failure && error.status === 401) continue;
      why = error instanceof Error ? error.message : String(error);
      isAnswering = error instanceof Failure && error.status !== 0;
    }
    lostSince ??= Date.now();
    follower.onLink({ state: 'lost', since: lostSince, why, isAnswering });
    await pauseOrWake(pause, signal);
    pause = Math.min(2 * pause, PAUSE_MS_MAX);
  }
}

async function oneStream(admin: Admin, follower: Follower, outer: AbortSignal, onFirst: () => void): Promise<void> {
  const silence = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listen = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Error('the hub has fallen silent')), SILENCE_MS_MAX);
  };
  listen();
  try {
    const response = await admin.open('/api/live', { signal: AbortSignal.any([outer, silence.signal]) });
    if (response.body === null) throw new Error('the stream has no body');
    await readItems(response.body, (item) => {
      if (item.kind !== 'event' || item.type !== 'sample') return;
      listen();
      onFirst();
      follower.onSample(JSON.parse(item.data) as Sample);
      follower.onLink({ state: 'open' });
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Waits, but no longer than until somebody looks at the page again or the network is back. */
function pauseOrWake(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = new AbortController();
    const wake = () => {
      clearTimeout(timer);
      done.abort();
      resolve();
    };
    const timer = setTimeout(wake, ms);
    addEventListener('online', wake, { signal: done.signal });
    document.addEventListener('visibilitychange', wake, { signal: done.signal });
    signal.addEventListener('abort', wake, { signal: done.signal });
  });
}
