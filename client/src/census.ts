// Which streams this browser has, over all pages of an origin: whoever holds one says so on a BroadcastChannel.
//
// One stream for each user is what the rest of this package is for, so a user with three is worth a warning: a page with
// several addresses, tabs that cannot share, a second copy of this package.
// Bounded at `RECORDS_MAX`. A tab that crashed is forgotten at the next roll call, which each new stream calls.

import type { ConnectionRecord } from './protocol.ts';
import type { Census } from './session.ts';

const CHANNEL = 'corecast/census';

const RECORDS_MAX = 100;

type Message = { opened: ConnectionRecord } | { closed: string } | { call: true };

export function openCensus(): Census {
  const own = new Map<string, ConnectionRecord>();
  const others = new Map<string, ConnectionRecord>();
  let channel: BroadcastChannel | undefined;
  try {
    channel = new BroadcastChannel(CHANNEL);
  } catch {
    // Without it this page counts its own.
  }
  const say = (message: Message) => channel?.postMessage(message);
  const census: Census = {
    onChange() {},
    opened(record) {
      own.set(record.id, record);
      others.clear();
      say({ opened: record });
      say({ call: true });
    },
    closed(id) {
      own.delete(id);
      say({ closed: id });
    },
    of: (user) => [...own.values(), ...others.values()].filter((record) => record.user === user),
  };
  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if ('call' in data) return own.forEach((record) => say({ opened: record }));
      if ('closed' in data) others.delete(data.closed);
      else if (others.size < RECORDS_MAX) others.set(data.opened.id, data.opened);
      census.onChange();
    };
  }
  return census;
}
