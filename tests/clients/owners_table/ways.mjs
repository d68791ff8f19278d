// The three ways to listen that the owner's table compares.

/** What each is called, how pages listen, and what the hub allows a user. */
export const WAYS = [
  { name: 'unlimited', title: 'EventSource, no limit', listens: 'EventSource', perUser: 0 },
  { name: 'limited', title: 'EventSource, per_user = 1', listens: 'EventSource', perUser: 1 },
  { name: 'client', title: '@corecast/client, per_user = 1', listens: 'client', perUser: 1 },
];
