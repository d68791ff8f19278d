// The parser against the cases that implementations get wrong.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EventParser, UNFINISHED_CHARS_MAX, readItems } from '../src/sse';
import type { Item } from '../src/sse';

const message = (data: string, id = '', type = 'message'): Item => ({ kind: 'event', type, data, id });

/** [what comes, what it means] */
const CASES: [string, Item[]][] = [
  ['data: one\n\n', [message('one')]],
  ['data:one\n\ndata: two\n\n', [message('one'), message('two')]],
  ['data: one\r\ndata: two\r\n\r\n', [message('one\ntwo')]],
  ['data: one\rdata:  two\r\r', [message('one\n two')]],
  ['data\n\n', [message('')]],
  ['data\ndata\n\n', [message('\n')]],
  ['\n\n\n', []],
  ['data: unfinished', []],
  ['data: unfinished\n', []],
  ['event: order\nid: 7\ndata: x\n\ndata: y\n\n', [message('x', '7', 'order'), message('y', '7')]],
  ['id: 7\n\ndata: x\n\n', [message('x', '7')]],
  ['id: 7\ndata: x\n\nid\ndata: y\n\n', [message('x', '7'), message('y', '')]],
  ['id: a\0b\ndata: x\n\n', [message('x')]],
  ['event: dropped\n\ndata: x\n\n', [message('x')]],
  [': comment\n:\ndata: x\n\n', [{ kind: 'comment' }, { kind: 'comment' }, message('x')]],
  ['retry: 250\nretry: soon\nretry:\n\n', [{ kind: 'retry', ms: 250 }]],
  ['\uFEFFdata: x\n\n', [message('x')]],
  ['data: \uFEFFx\n\n', [message('\uFEFFx')]],
  ['data: grüße 😀 \u2028\n\n', [message('grüße 😀 \u2028')]],
  ['unknown: field\n data: not a field\ndata : neither\n\n', []],
];

test('a stream means the same however it is cut', () => {
  for (const [text, expected] of CASES) {
    assert.deepEqual(new EventParser().push(text), expected, JSON.stringify(text));
    for (let cut = 0; cut <= text.length; cut += 1) {
      const parser = new EventParser();
      const items = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))];
      assert.deepEqual(items, expected, `${JSON.stringify(text)} cut at ${cut}`);
    }
    const parser = new EventParser();
    assert.deepEqual(
      [...text].flatMap((char) => parser.push(char)),
      expected,
      JSON.stringify(text),
    );
  }
});

test('bytes mean the same however they are cut', async () => {
  const sent = new TextEncoder().encode('\uFEFFid: ü\ndata: 😀\n\n');
  for (let cut = 0; cut <= sent.length; cut += 1) {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(sent.slice(0, cut));
        controller.enqueue(sent.slice(cut));
        controller.close();
      },
    });
    const items: Item[] = [];
    await readItems(body, (item) => items.push(item));
    assert.deepEqual(items, [message('😀', 'ü')], `cut at ${cut}`);
  }
});

test('an id counts once its block has ended', () => {
  const parser = new EventParser();
  parser.push('id: 7\n');
  assert.equal(parser.lastEventId, '');
  parser.push('\n');
  assert.equal(parser.lastEventId, '7');
});

test('an event without end is given up', async () => {
  const line = `data: ${'x'.repeat(1024)}\n`;
  const parser = new EventParser();
  assert.throws(() => {
    for (let sent = 0; sent <= UNFINISHED_CHARS_MAX; sent += 1024) parser.push(line);
  }, /more than/);
  assert.throws(() => new EventParser().push('x'.repeat(UNFINISHED_CHARS_MAX + 1)), /more than/);
});
