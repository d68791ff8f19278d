// The debugger's subscriber against answers that a hub, or a network, may give.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Failure } from '../src/admin';
import { DATA_CHARS_MAX, DebugStream, LINES_MAX } from '../src/debug_stream';
import type { Subscription } from '../src/debug_stream';

const WANTED: Subscription = { topics: ['a', 'b,{c}'], token: '', lastEventId: '', comesBack: true };

type Answer = string | number | 'lost';

/** A stream whose hub gives one answer after the other, and what it was asked for; resolves when it has closed. */
async function follow(answers: Answer[], wanted: Partial<Subscription> = {}) {
  const asked: string[] = [];
  const left = [...answers];
  const open = async (path: string): Promise<Response> => {
    asked.push(path);
    const answer = left.shift() ?? 204;
    if (answer === 'lost') throw new Failure('the hub does not answer', 0);
    if (typeof answer === 'string') return new Response(answer, { headers: { 'Content-Type': 'text/event-stream' } });
    if (answer >= 400) throw new Failure('no', answer);
    return new Response(null, { status: answer });
  };
  const stream = await new Promise<DebugStream>((resolve) => {
    let began = false;
    const one: DebugStream = new DebugStream({ open }, () => {
      began ||= one.state !== 'closed';
      if (began && one.state === 'closed') resolve(one);
    });
    one.start({ ...WANTED, ...wanted });
  });
  return { stream, asked, lines: stream.lines.map((line) => `${line.kind} ${line.type} ${line.id} ${line.data}`) };
}

test('it comes back with the last id until the hub wants it to stay away', async () => {
  const { asked, lines } = await follow(['retry: 1\nid: 7\ndata: x\n\n', 'event: corecast.gap\ndata: {}\n\n', 204]);
  assert.deepEqual(asked, [
    '/hub/events?topic=a&topic=b%2C%7Bc%7D',
    '/hub/events?topic=a&topic=b%2C%7Bc%7D&last_event_id=7',
    '/hub/events?topic=a&topic=b%2C%7Bc%7D&last_event_id=7',
  ]);
  assert.deepEqual(lines, [
    'note note  open: 200 text/event-stream',
    'note note  retry: 1 ms',
    'event message 7 x',
    'note note  the hub ended the stream',
    'note note  coming back in 1 ms, from id 7',
    'note note  open: 200 text/event-stream',
    'control corecast.gap 7 {}',
    'note note  the hub ended the stream',
    'note note  coming back in 1 ms, from id 7',
    'problem problem  204: the hub wants this client to stay away',
  ]);
});

test('a lost network is tried again, and an answer that is no stream is final', async () => {
  const { asked, lines } = await follow(['retry: 1\n\n', 'lost', 403, 'data: never\n\n']);
  assert.equal(asked.length, 3);
  assert.deepEqual(lines.slice(-3), [
    'problem problem  the hub does not answer',
    'note note  coming back in 1 ms',
    'problem problem  403: no',
  ]);
});

test('it does not come back if that was not asked for', async () => {
  const { asked } = await follow(['data: x\n\n', 'data: y\n\n'], { comesBack: false, topics: [], lastEventId: '3' });
  assert.deepEqual(asked, ['/hub/events?last_event_id=3']);
});

test('what is kept is bounded in lines and in characters', async () => {
  const long = 'x'.repeat(DATA_CHARS_MAX + 5);
  const many = Array.from({ length: 2 * LINES_MAX }, (_, number) => `data: ${number}\n\n`).join('');
  const { stream } = await follow([`${many}:\ndata: ${long}\n\n`], { comesBack: false });
  assert.equal(stream.lines.length, LINES_MAX);
  const last = stream.lines.find((line) => line.cut > 0);
  assert.deepEqual([last?.data.length, last?.cut], [DATA_CHARS_MAX, 5]);
  assert.deepEqual([stream.events, stream.comments], [2 * LINES_MAX + 1, 1]);
});

test('what is shown stands still while it is paused', async () => {
  const { stream } = await follow(['data: x\n\n'], { comesBack: false });
  stream.pause();
  const shown = [...stream.shown];
  stream.start({ ...WANTED, comesBack: false });
  stream.stop();
  assert.deepEqual(stream.shown, shown);
  assert.equal(stream.unseen, 1);
  stream.goOn();
  assert.equal(stream.shown.at(-1)?.data, 'closed by you');
  stream.clear();
  assert.deepEqual(stream.shown, []);
});
