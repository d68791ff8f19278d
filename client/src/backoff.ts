// When to come back: capped exponential backoff with full jitter, above what the server asked for.
//
// The hub gives each connection its own random `retry:`, so one stream that breaks comes back after exactly that, and only
// failures in a row widen the range. Without a word of the server the range begins at nothing.

/** The base where no server has said another. */
const BASE_MS = 1000;

export class Backoff {
  readonly #capMs: number;
  readonly #random: () => number;
  #failures = 0;
  #retryMs: number | undefined;

  /** `capMs` bounds what is added to the server's own wish; `random` gives numbers in [0, 1). */
  constructor(capMs: number, random: () => number) {
    this.#capMs = capMs;
    this.#random = random;
  }

  /** The server's `retry:`. It holds until the next, or until it is forgotten. */
  told(ms: number | undefined): void {
    this.#retryMs = ms;
  }

  /** A connection was of use: the next failure is the first again. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** How long to wait now, in milliseconds, at least `atLeastMs`. */
  next(atLeastMs = 0): number {
    const floor = Math.max(this.#retryMs ?? 0, atLeastMs);
    const ceiling = Math.max(floor, Math.min(this.#capMs, (this.#retryMs ?? BASE_MS) * 2 ** this.#failures));
    // 2^31 is beyond every cap.
    this.#failures = Math.min(this.#failures + 1, 31);
    return floor + this.#random() * (ceiling - floor);
  }
}
