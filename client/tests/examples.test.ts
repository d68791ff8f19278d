// @vitest-environment jsdom

import { act, createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { beforeEach, expect, test, vi } from 'vitest';
import { effectScope } from 'vue';

import type { StreamEvent } from '@corecast/client';

import { useCorecast as useInReact } from '../examples/react.ts';
import { useCorecast as useInVue } from '../examples/vue.ts';

/** A stream that tests speak through. */
const stream = {
  topics: [] as string[],
  handlers: new Set<(event: StreamEvent) => void>(),
  subscribe(topic: string) {
    this.topics.push(topic);
    return () => this.topics.splice(this.topics.indexOf(topic), 1);
  },
  on(_type: string, handler: (event: StreamEvent) => void) {
    this.handlers.add(handler);
    return () => this.handlers.delete(handler);
  },
  say(data: string) {
    for (const handler of this.handlers) handler({ type: 'message', data, id: data });
  },
};

vi.mock('@corecast/client', () => ({ connect: () => stream, getConnection: () => undefined }));

beforeEach(() => {
  stream.topics = [];
  stream.handlers.clear();
});

test('React: a component shows the latest event, and takes its topic back', async () => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const Shown = ({ topic }: { topic: string }) => createElement('p', null, useInReact(topic)?.data ?? 'nothing');
  const place = document.createElement('div');
  const root = createRoot(place);
  await act(() => root.render(createElement(Shown, { topic: 'a' })));
  expect([place.textContent, stream.topics]).toEqual(['nothing', ['a']]);
  await act(() => stream.say('one'));
  expect(place.textContent).toBe('one');
  await act(() => root.render(createElement(Shown, { topic: 'b' })));
  expect(stream.topics).toEqual(['b']);
  await act(() => root.unmount());
  expect([stream.topics, stream.handlers.size]).toEqual([[], 0]);
});

test('Vue: a scope has the latest event, and takes its topic back', () => {
  const scope = effectScope();
  const event = scope.run(() => useInVue('a'));
  expect([event?.value, stream.topics]).toEqual([undefined, ['a']]);
  stream.say('one');
  expect(event?.value?.data).toBe('one');
  scope.stop();
  expect([stream.topics, stream.handlers.size]).toEqual([[], 0]);
});
