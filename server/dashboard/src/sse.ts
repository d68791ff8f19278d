// Reads an event stream as the HTML standard says. EventSource would, too, but it cannot send a bearer token, and it
// hides what a debugger is to show: comments, reconnection times, events of types nobody has named before.

export type Item =
  { kind: 'event'; type: string; data: string; id: string } | { kind: 'comment' } | { kind: 'retry'; ms: number };

/** An unfinished event may hold this much: 64 times what the hub takes by default. */
export const UNFINISHED_CHARS_MAX = 4 * 1024 * 1024;

/** From text, however it is cut into pieces, to items. */
export class EventParser {
  /** Of the last event, or of an earlier one if that had none. */
  lastEventId = '';
  #line = '';
  #data: string[] = [];
  #chars = 0;
  #type = '';
  #id = '';
  #isFirst = true;
  #isAfterCr = false;

  /** A stream that resumes begins with the id it resumes from. */
  startFrom(id: string): void {
    this.lastEventId = id;
    this.#id = id;
  }

  /** Throws if an event grows beyond `UNFINISHED_CHARS_MAX`. */
  push(text: string): Item[] {
    const items: Item[] = [];
    if (text === '') return items;
    let from = 0;
    if (this.#isFirst) {
      this.#isFirst = false;
      if (text.startsWith('\uFEFF')) from = 1;
    }
    if (this.#isAfterCr && text[from] === '\n') from += 1;
    this.#isAfterCr = false;
    const end = /\r\n|\r|\n/g;
    end.lastIndex = from;
    for (let match = end.exec(text); match !== null; match = end.exec(text)) {
      this.#onLine(this.#line + text.slice(from, match.index), items);
      this.#line = '';
      from = end.lastIndex;
      // The other half of a line end may come in the next piece.
      this.#isAfterCr = match[0] === '\r' && from === text.length;
    }
    this.#line += text.slice(from);
    if (this.#line.length + this.#chars > UNFINISHED_CHARS_MAX) {
      throw new Error(`an event of more than ${UNFINISHED_CHARS_MAX} characters`);
    }
    return items;
  }

  #onLine(line: string, items: Item[]): void {
    if (line === '') return this.#dispatch(items);
    if (line.startsWith(':')) {
      items.push({ kind: 'comment' });
      return;
    }
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const rest = colon === -1 ? '' : line.slice(colon + 1);
    this.#onField(name, rest.startsWith(' ') ? rest.slice(1) : rest, items);
  }

  #onField(name: string, value: string, items: Item[]): void {
    if (name === 'data') {
      this.#data.push(value);
      this.#chars += value.length + 1;
    } else if (name === 'event') {
      this.#type = value;
    } else if (name === 'id' && !value.includes('\0')) {
      this.#id = value;
    } else if (name === 'retry' && /^[0-9]+$/.test(value)) {
      items.push({ kind: 'retry', ms: Number(value) });
    }
  }

  #dispatch(items: Item[]): void {
    this.lastEventId = this.#id;
    // A block without data is no event, but its id counts.
    if (this.#data.length > 0) {
      items.push({ kind: 'event', type: this.#type || 'message', data: this.#data.join('\n'), id: this.#id });
    }
    this.#data = [];
    this.#chars = 0;
    this.#type = '';
  }
}

/** Hands each item of `body` to `onItem` as it comes, until the stream ends or fails. */
export async function readItems(
  body: ReadableStream<Uint8Array>,
  onItem: (item: Item) => void,
  parser = new EventParser(),
): Promise<void> {
  const reader = body.getReader();
  // The parser takes the byte order mark away itself: the standard removes one, not one of each piece.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      parser.push(decoder.decode(value, { stream: true })).forEach(onItem);
    }
  } finally {
    // After an error of ours the connection must not stay open with nobody reading.
    reader.cancel().catch(() => {});
  }
}
