// Waiting for a condition, with a deadline.

import { setTimeout as pause } from 'node:timers/promises';

const PATIENCE_MS = 20_000;
const POLL_MS = 10;

/** Gives what `promise` gives, or fails at the deadline. */
export async function withDeadline(promise, what) {
  const controller = new AbortController();
  const late = pause(PATIENCE_MS, undefined, { signal: controller.signal }).then(() => {
    throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    controller.abort();
  }
}

/** Asks `condition` again and again until it is true. */
export async function eventually(what, condition, patienceMs = PATIENCE_MS) {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const outcome = await condition();
    if (outcome) return outcome;
    if (Date.now() > deadline) throw new Error(`not within ${patienceMs} ms: ${what}`);
    await pause(POLL_MS);
  }
}

/** Lets a time pass in which something must not happen. Only for what no event can show. */
export const letPass = pause;
