// A session of a tab's own: where tabs can share nothing.

import { openCensus } from '../census.ts';
import { realEnv } from '../env.ts';
import { type Port, Session } from '../session.ts';
import type { Link, LinkEars, LinkOptions } from './link.ts';

/** The way from a session to the tab that hosts it: later, as any other message, so that nobody is called back within a call. */
export function directPort(ears: LinkEars): Port {
  return { post: (message) => queueMicrotask(() => ears.message(message)) };
}

export function openSolo({ tab, config }: LinkOptions, ears: LinkEars): Link {
  const session = new Session(realEnv, config, tab, openCensus());
  const port = directPort(ears);
  queueMicrotask(() => ears.ready(null));
  return {
    post: (message) => session.receive(port, message),
    close: () => session.leave(port),
  };
}
