// npm `eventsource`: the EventSource of the standard, for Node.

import { EventSource } from 'eventsource';

import { CONTROL_TYPES, StreamLog } from './stream_log.mjs';

export const name = 'npm eventsource';

/** Opens a stream. `types` are named events to listen for, beside `message` and the hub's own. */
export function open(t, url, { types = [] } = {}) {
  const log = new StreamLog();
  const source = new EventSource(url);
  t.after(() => source.close());
  source.onopen = () => log.opened();
  source.onerror = () => log.failed(source.readyState === EventSource.CLOSED);
  for (const type of ['message', ...CONTROL_TYPES, ...types]) {
    source.addEventListener(type, (event) => log.received(event.type, event.data, event.lastEventId));
  }
  return log;
}
