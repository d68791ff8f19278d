// A React hook: the latest event of a type, from the stream that the whole page shares.
//
// Copy it. The stream belongs to the page and not to a component, so a component that goes takes its topic back, no more. What exists is
// taken as it is: `connect` would open a stream that was evicted, and a component that appears is nobody who acts.

import { useEffect, useState } from 'react';

import { connect, type ConnectOptions, getConnection, type StreamEvent } from '@corecast/client';

export function useCorecast(topic: string, type = 'message', options: Omit<ConnectOptions, 'topics'> = {}): StreamEvent | undefined {
  const [event, setEvent] = useState<StreamEvent>();
  // Options are read once: other options need another stream.
  const [stream] = useState(() => getConnection(options) ?? connect(options));
  useEffect(() => {
    const unsubscribe = stream.subscribe(topic);
    const off = stream.on(type, setEvent);
    return () => {
      off();
      unsubscribe();
    };
  }, [stream, topic, type]);
  return event;
}
