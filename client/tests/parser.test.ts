import { createParser } from 'eventsource-parser';
import { describe, expect, test } from 'vitest';

import { type Block, Parser } from '../src/parser.ts';
import { Random } from './random.ts';

interface Seen {
  blocks: Omit<Block, 'tooLarge'>[];
  retries: number[];
  tooLarge: number;
}

function parse(pieces: Iterable<string>, charsMax = 1000): Seen {
  const seen: Seen = { blocks: [], retries: [], tooLarge: 0 };
  const block = ({ tooLarge, ...rest }: Block) => {
    seen.blocks.push(rest);
    if (tooLarge) seen.tooLarge += 1;
  };
  const parser = new Parser({ block, retry: (ms) => seen.retries.push(ms) }, charsMax);
  for (const piece of pieces) parser.feed(piece);
  return seen;
}

const event = (data: string | undefined, id?: string, type = 'message', topics: string[] = []) => ({ type, data, topics, id });

describe('a stream is parsed as the standard says', () => {
  const cases: [string, string, ReturnType<typeof event>[]][] = [
    ['an event', 'data: a\n\n', [event('a')]],
    ['two lines of data', 'data: a\ndata: b\n\n', [event('a\nb')]],
    ['one space goes, the second stays', 'data:  a\n\n', [event(' a')]],
    ['no space', 'data:a\n\n', [event('a')]],
    ['empty data', 'data\n\ndata:\n\n', [event(''), event('')]],
    ['two empty lines of data', 'data\ndata\n\n', [event('\n')]],
    ['a type', 'event: order\ndata: a\n\ndata: b\n\n', [event('a', undefined, 'order'), event('b')]],
    ['an empty type', 'event:\ndata: a\n\n', [event('a')]],
    ['a type without data', 'event: order\n\ndata: b\n\n', [event('b')]],
    ['an id', 'id: 7\ndata: a\n\ndata: b\n\n', [event('a', '7'), event('b')]],
    ['an id alone moves the cursor', 'id: 7\n\n', [event(undefined, '7')]],
    ['an empty id', 'id\ndata: a\n\n', [event('a', '')]],
    ['an id with a NUL is none', 'id: 7\nid: a\0b\ndata: a\n\n', [event('a', '7')]],
    ['comments', ': one\ndata: a\n:\n: two\n\n', [event('a')]],
    ['unknown fields', 'topics: x\ndata: a\nfoo\n\n', [event('a')]],
    ['topics', 'topic: x\ntopic:  y: z\ndata: a\n\ndata: b\n\n', [event('a', undefined, 'message', ['x', ' y: z']), event('b')]],
    ['a colon in a value', 'data: a:b: c\n\n', [event('a:b: c')]],
    ['a block that is cut', 'id: 7\ndata: a\n', []],
    ['CR', 'data: a\rdata: b\r\r', [event('a\nb')]],
    ['CRLF', 'data: a\r\ndata: b\r\n\r\n', [event('a\nb')]],
    ['all ends mixed', 'data: a\r\ndata: b\rdata: c\n\r\n', [event('a\nb\nc')]],
  ];
  test.each(cases)('%s', (_name, text, expected) => {
    expect(parse([text]).blocks).toEqual(expected);
  });

  test('wherever it is cut', () => {
    for (const [name, text, expected] of cases) {
      for (let cut = 0; cut <= text.length; cut += 1) {
        expect(parse([text.slice(0, cut), '', text.slice(cut)]).blocks, `${name}, cut at ${cut}`).toEqual(expected);
      }
      expect(parse(text).blocks, `${name}, one by one`).toEqual(expected);
    }
  });
});

test('a reconnection time is digits only', () => {
  expect(parse(['retry: 100\nretry: -1\nretry: 1.5\nretry: 5s\nretry\nretry: 200\n']).retries).toEqual([100, 200]);
});

test('what is too large is passed over, and its id counts', () => {
  const big = 'x'.repeat(101);
  const half = 'x'.repeat(60);
  for (const text of [
    `data: ${big}\nid: 1\n\n`,
    `data: ${half}\ndata: ${half}\nid: 1\n\n`,
    `event: ${big}\ndata: a\nid: 1\n\n`,
    `topic: ${half}\ndata: ${half}\nid: 1\n\n`,
    `${'topic\n'.repeat(100)}data: a\nid: 1\n\n`,
    `data: ${big.repeat(100)}\ndata: a\nid: 1\n\n`,
  ]) {
    for (const pieces of [[text], [...text]]) {
      const { blocks, tooLarge } = parse([...pieces, 'data: next\n\n'], 100);
      expect(blocks.map(({ data, id }) => ({ data, id }))).toEqual([
        { data: undefined, id: '1' },
        { data: 'next', id: undefined },
      ]);
      expect(tooLarge).toBe(1);
    }
  }
});

test('a long comment costs nothing', () => {
  const text = `data: a\n:${'x'.repeat(500)}\nid: 1\n\n`;
  for (const pieces of [[text], [...text]]) {
    expect(parse(pieces, 100)).toEqual({ blocks: [event('a', '1')], retries: [], tooLarge: 0 });
  }
});

test('random streams, cut at random, are what another parser makes of them', () => {
  const words = ['data', 'event', 'id', 'retry', ':', ' ', '\n', '\r', '\r\n', '\n\n', 'a', 'é', '😀', '12', 'data: x\n', ''];
  let dispatched = 0;
  for (let seed = 0; seed < 3000; seed += 1) {
    const random = new Random(seed);
    const text = `${Array.from({ length: random.below(60) }, () => random.pick(words)).join('')}\n\n`;
    const expected: unknown[] = [];
    const retries: number[] = [];
    const oracle = createParser({
      onEvent: ({ event: type, data, id }) => expected.push(event(data, id, type || 'message')),
      onRetry: (ms) => retries.push(ms),
    });
    oracle.feed(text);
    const pieces: string[] = [];
    for (let at = 0; at < text.length; ) {
      const next = at + 1 + random.below(8);
      pieces.push(text.slice(at, next));
      at = next;
    }
    const seen = parse(pieces);
    const events = seen.blocks.filter((block) => block.data !== undefined);
    expect(events, `seed ${seed}: ${JSON.stringify(text)}`).toEqual(expected);
    expect(seen.retries, `seed ${seed}: ${JSON.stringify(text)}`).toEqual(retries);
    dispatched += events.length;
  }
  expect(dispatched).toBeGreaterThan(2000);
});
