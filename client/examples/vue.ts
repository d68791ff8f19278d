// A Vue composable: the latest event of a type, from the stream that the whole page shares.
//
// Copy it. The stream belongs to the page and not to a component, so a scope that ends takes its topic back, no more. What exists is
// taken as it is: `connect` would open a stream that was evicted, and a component that appears is nobody who acts.

import { onScopeDispose, readonly, type Ref, shallowRef } from 'vue';

import { connect, type ConnectOptions, getConnection, type StreamEvent } from '@corecast/client';

export function useCorecast(
  topic: string,
  type = 'message',
  options: Omit<ConnectOptions, 'topics'> = {},
): Readonly<Ref<StreamEvent | undefined>> {
  const stream = getConnection(options) ?? connect(options);
  const event = shallowRef<StreamEvent>();
  const unsubscribe = stream.subscribe(topic);
  const off = stream.on(type, (latest: StreamEvent) => {
    event.value = latest;
  });
  onScopeDispose(() => {
    off();
    unsubscribe();
  });
  return readonly(event);
}
