// Text of an event stream in, blocks out (WHATWG HTML §9.2.6), wherever the text is cut.
//
// One field is the hub's own: `topic`, a line for each topic that an event was published to, if the hub is to tell.
// Invariant: holds at most `charsMax` characters of a line and as many of a block's data and topics; what is larger is
// passed over, and its id counts, so that a stream does not trip over the same event for ever.
// Not here: UTF-8 and its byte order mark (a TextDecoder's work), and what the blocks mean.

/** A block as the stream had it. */
export interface Block {
  /** `message` if the block names none. */
  type: string;
  /** Lines joined by LF; `undefined` if the block had none, which is no event, or more than may be held. */
  data: string | undefined;
  /** The topics of the event; empty if the block does not tell. */
  topics: string[];
  /** The block's own id; `undefined` if it has none. It moves the cursor, with or without data. */
  id: string | undefined;
  /** Whether something was passed over because of its size. */
  tooLarge: boolean;
}

/** What a parser tells. */
export interface ParserEars {
  block(block: Block): void;
  /** A reconnection time in milliseconds, as soon as its line is read. */
  retry(ms: number): void;
}

/** Enough of a line that is passed over to see that it was a comment. */
const PREFIX_CHARS = 1;

export class Parser {
  readonly #ears: ParserEars;
  readonly #charsMax: number;
  /** The beginning of a line whose end has not come. */
  #rest = '';
  #lineTooLong = false;
  /** An LF may follow, which belongs to the CR before it. */
  #afterCr = false;
  #block: Block = emptyBlock();
  /** Characters of the block's data and topics, and their lines. */
  #chars = 0;

  constructor(ears: ParserEars, charsMax: number) {
    this.#ears = ears;
    this.#charsMax = charsMax;
  }

  feed(text: string): void {
    let start = 0;
    if (this.#afterCr && text !== '') {
      this.#afterCr = false;
      if (text[0] === '\n') start = 1;
    }
    const ends = /[\r\n]/g;
    ends.lastIndex = start;
    for (let found = ends.exec(text); found; found = ends.exec(text)) {
      this.#keep(text.slice(start, found.index));
      this.#endLine();
      start = found.index + 1;
      if (found[0] === '\r') {
        if (text[start] === '\n') start += 1;
        else this.#afterCr = start === text.length;
      }
      ends.lastIndex = start;
    }
    this.#keep(text.slice(start));
  }

  #keep(piece: string): void {
    if (this.#rest.length + piece.length > this.#charsMax) {
      this.#lineTooLong = true;
      this.#rest = (this.#rest + piece.slice(0, PREFIX_CHARS)).slice(0, PREFIX_CHARS);
    } else if (!this.#lineTooLong) {
      this.#rest += piece;
    }
  }

  #endLine(): void {
    const line = this.#rest;
    const isTooLong = this.#lineTooLong;
    this.#rest = '';
    this.#lineTooLong = false;
    if (line === '' && !isTooLong) return this.#endBlock();
    const colon = line.indexOf(':');
    if (colon === 0) return;
    if (isTooLong) {
      this.#block.tooLarge = true;
      return;
    }
    if (colon < 0) return this.#field(line, '');
    this.#field(line.slice(0, colon), line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1));
  }

  #field(name: string, value: string): void {
    const block = this.#block;
    if (name === 'data' || name === 'topic') {
      this.#chars += value.length + 1;
      if (this.#chars > this.#charsMax) block.tooLarge = true;
      if (block.tooLarge) return;
      if (name === 'topic') block.topics.push(value);
      else block.data = block.data === undefined ? value : `${block.data}\n${value}`;
    } else if (name === 'event') {
      block.type = value;
    } else if (name === 'id') {
      if (!value.includes('\0')) block.id = value;
    } else if (name === 'retry' && /^\d+$/.test(value)) {
      this.#ears.retry(Number(value));
    }
  }

  #endBlock(): void {
    const block = this.#block;
    this.#block = emptyBlock();
    this.#chars = 0;
    block.type ||= 'message';
    if (block.tooLarge) block.data = undefined;
    if (block.data !== undefined || block.id !== undefined || block.tooLarge) this.#ears.block(block);
  }
}

function emptyBlock(): Block {
  return { type: '', data: undefined, topics: [], id: undefined, tooLarge: false };
}
