// The last events of a stream, for tabs that read later than they came.
//
// As in the hub: a slow tab costs a place in here and not a queue of its own, and one that falls off the end is told of
// the gap. Invariant: at most `EVENTS_MAX` events and `CHARS_MAX` characters (about 2 MiB), or one event.

import type { StreamEvent } from './protocol.ts';

export const EVENTS_MAX = 1000;
export const CHARS_MAX = 1 << 20;

export class Ring {
  /** The number of the oldest event here. */
  first = 0;
  /** The id before the oldest event here. */
  before = '';
  #events: StreamEvent[] = [];
  #chars = 0;

  /** The number of the next event. */
  get end(): number {
    return this.first + this.#events.length;
  }

  push(event: StreamEvent): void {
    this.#events.push(event);
    this.#chars += weight(event);
    while (this.#events.length > EVENTS_MAX || (this.#chars > CHARS_MAX && this.#events.length > 1)) {
      const gone = this.#events.shift() as StreamEvent;
      this.#chars -= weight(gone);
      this.before = gone.id || this.before;
      this.first += 1;
    }
  }

  /** The event with this number, from `first` on. */
  at(number: number): StreamEvent | undefined {
    return this.#events[number - this.first];
  }

  /** The number behind the event with this id. */
  behind(id: string): number | undefined {
    if (id === this.before) return this.first;
    const index = this.#events.findLastIndex((event) => event.id === id);
    return index < 0 ? undefined : this.first + index + 1;
  }
}

function weight(event: StreamEvent): number {
  const topics = event.topics?.reduce((sum, topic) => sum + topic.length, 0) ?? 0;
  return event.data.length + event.type.length + event.id.length + topics;
}
