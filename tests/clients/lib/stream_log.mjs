// What a client saw of a stream, in order, whichever client it is.

import { eventually } from './wait.mjs';

/** The hub's own events. */
export const CONTROL_TYPES = ['gap', 'evicted', 'limit', 'expiring', 'drain'].map((kind) => `corecast.${kind}`);

export class StreamLog {
  opens = 0;
  errors = 0;
  isClosed = false;
  events = [];

  opened() {
    this.opens += 1;
  }

  /** `isFinal`: the client will not come back. */
  failed(isFinal) {
    this.errors += 1;
    this.isClosed ||= isFinal;
  }

  received(type, data, id) {
    this.events.push({ type, data, id });
  }

  untilOpen() {
    return eventually('the stream is open', () => this.opens > 0);
  }

  untilClosed() {
    return eventually('the client has given up', () => this.isClosed);
  }

  /** The first `count` events, once they are there. */
  async first(count) {
    await eventually(`event ${count}`, () => this.events.length >= count);
    return this.events.slice(0, count);
  }
}
