// What a session needs of the world around it, so that a test can be the world.

export interface Env {
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Milliseconds of the epoch. */
  now(): number;
  /** Runs something later; the function it gives takes that back. */
  after(ms: number, run: () => void): () => void;
  /** In [0, 1). */
  random(): number;
}

/** Node's timers, and browsers', take more than this for 1 ms. */
const TIMER_MAX_MS = 0x7fffffff;

export const realEnv: Env = {
  fetch: (url, init) => fetch(url, init),
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, TIMER_MAX_MS));
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/** 64 random bits in hex. `crypto.randomUUID` is missing on pages without TLS. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
