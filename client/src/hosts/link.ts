// A tab's way to its session, whoever hosts that; and the sign by which the host knows that the tab lives.

import type { SessionConfig, ToSession, ToTab } from '../protocol.ts';

export interface Link {
  post(message: ToSession): void;
  /** The tab goes; the session is told. */
  close(): void;
}

export interface LinkEars {
  /** There is a session to join, perhaps another than before. `lock` is what the tab holds as long as it lives. */
  ready(lock: string | null): void;
  message(message: ToTab): void;
}

export interface LinkOptions {
  /** Sessions of different names have nothing to do with each other. */
  readonly name: string;
  readonly tab: string;
  readonly config: SessionConfig;
}

/**
 * Takes a Web Lock and keeps it until the function it gives is called. The browser lets go of it, too, when the page is
 * gone, however it went: whoever asks for the same lock learns of it without asking again and again.
 */
export function holdLock(name: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    navigator.locks.request(name, () => new Promise<void>(resolve)).catch(reject);
  });
}

/**
 * Calls `gone` when the holder of a lock is gone. Whoever stops watching says so by `signal`: a page that is put aside
 * would get the lock and never let go of it. Shared, for watchers need not wait for each other.
 */
export function watchLock(name: string, gone: () => void, signal: AbortSignal): void {
  navigator.locks.request(name, { mode: 'shared', signal }, () => signal.aborted || gone()).catch(() => {});
}

export const heldLocks = async (): Promise<LockInfo[]> => (await navigator.locks.query()).held ?? [];

/** How many tabs of a session are there, by the locks they hold. */
export async function countTabs(name: string): Promise<number> {
  return (await heldLocks()).filter((lock) => lock.name?.startsWith(`${name} `)).length;
}

/** How long a new host waits for the tabs that it knows to be there. One of them may be frozen. */
export const GATHER_MS = 500;

export const hasLocks = (): boolean => !!globalThis.navigator?.locks;
