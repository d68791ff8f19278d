// Sessions that pages host themselves. Loaded when a page has to: most have a worker for it.

export { openLeader } from './leader.ts';
export { openSolo } from './solo.ts';
