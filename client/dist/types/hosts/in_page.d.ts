export { openLeader } from './leader.ts';
export { openSolo } from './solo.ts';
