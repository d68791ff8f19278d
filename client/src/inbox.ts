// What a tab has seen: so that nothing reaches its handlers twice, and so that it can say where it wants to go on.
//
// The hub's own ids tell their place in the log: what is not behind the newest is a repeat, or was for other tabs when this
// one passed that place. Other ids (publishers', other servers') are remembered.
// Invariant: remembers at most `SEEN_MAX` ids, the newest. What can come twice is what a session sent ahead of a tab's
// receipts, or what a new leader begins with, and is less.

import { isUpTo, type Place, placeOf } from './place.ts';
import { CONTROL_PREFIX, type StreamEvent } from './protocol.ts';

const SEEN_MAX = 256;

/** A session may send 512 events ahead; the receipt is to come well before. */
const ACK_EVERY = 128;

export class Inbox {
  duplicates = 0;
  readonly #seen = new Set<string>();
  #newest: Place | undefined;
  #acked = 0;

  /** The ids, oldest first. */
  get seen(): string[] {
    return [...this.#seen];
  }

  /** A session is joined, perhaps another: it counts for itself. */
  restart(): void {
    this.#acked = 0;
  }

  /** Where a tab begins that has seen nothing. */
  begin(cursor: string): void {
    if (this.#seen.size === 0) this.#remember(cursor);
  }

  /** All that is for this tab has come, up to this id: there it goes on, and not where its last event was. */
  reached(id: string): void {
    if (id && this.#isNew(id)) this.#remember(id);
  }

  /** Whether an event is new here. The hub's own are: theirs is the id of another event, if any. */
  takes({ type, id }: StreamEvent): boolean {
    if (!id) return true;
    const isNew = type.startsWith(CONTROL_PREFIX) || this.#isNew(id);
    if (!isNew) this.duplicates += 1;
    else this.#remember(id);
    return isNew;
  }

  /** Whether the session is to be told that all up to `n` has been handled. */
  isDue(n: number): boolean {
    if (n - this.#acked < ACK_EVERY) return false;
    this.#acked = n;
    return true;
  }

  #isNew(id: string): boolean {
    return !this.#seen.has(id) && !isUpTo(placeOf(id), this.#newest);
  }

  #remember(id: string): void {
    const place = placeOf(id);
    // A gap may name an older one: what is behind that, and came already, is a repeat all the same.
    if (place && !isUpTo(place, this.#newest)) this.#newest = place;
    this.#seen.delete(id);
    this.#seen.add(id);
    if (this.#seen.size <= SEEN_MAX) return;
    for (const oldest of this.#seen) return void this.#seen.delete(oldest);
  }
}
