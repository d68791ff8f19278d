// npm `@microsoft/fetch-event-source`, used as its own documentation says: refusals are fatal, all else is retried.

import { fetchEventSource } from '@microsoft/fetch-event-source';

import { StreamLog } from './stream_log.mjs';

export const name = 'npm @microsoft/fetch-event-source';

/** It takes an empty first line for no line yet, and forgets it. */
export const deviations = new Map([['\n\nends with one\n', 'ends with one\n']]);

// It was written for pages: it looks at whether one is shown, and calls timers and fetch on `window`.
globalThis.window ??= globalThis;
globalThis.document ??= { hidden: false, addEventListener() {}, removeEventListener() {} };

class Refused extends Error {}

export function open(t, url) {
  const log = new StreamLog();
  const controller = new AbortController();
  t.after(() => controller.abort());
  const done = fetchEventSource(url, {
    signal: controller.signal,
    openWhenHidden: true,
    async onopen(response) {
      if (response.status !== 200) throw new Refused(String(response.status));
      log.opened();
    },
    onmessage: (event) => log.received(event.event || 'message', event.data, event.id),
    onclose: () => log.failed(true),
    onerror(error) {
      log.failed(error instanceof Refused);
      if (error instanceof Refused) throw error;
    },
  });
  done.catch(() => {});
  return log;
}
