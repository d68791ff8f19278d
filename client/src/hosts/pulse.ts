// Whether somebody answers: calls now and then, and says when nobody has for a while.
//
// Invariant: `CALLS_MAX` calls in a row went out, each with its time to be answered, before it gives up. So a page that did
// not run for a while, or a computer that slept, has to ask again first: its own silence proves nothing.

export const CALL_MS = 5000;

/** A page may be busy for a while without being lost. */
export const CALLS_MAX = 3;

export class Pulse {
  readonly #call: () => void;
  readonly #giveUp: () => void;
  #unanswered = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(call: () => void, giveUp: () => void) {
    this.#call = call;
    this.#giveUp = giveUp;
  }

  start(): void {
    this.stop();
    this.#timer = setInterval(() => this.#beat(), CALL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#unanswered = 0;
  }

  /** There was an answer. */
  heard(): void {
    this.#unanswered = 0;
  }

  #beat(): void {
    if (this.#unanswered === CALLS_MAX) {
      this.#unanswered = 0;
      return this.#giveUp();
    }
    this.#unanswered += 1;
    this.#call();
  }
}
