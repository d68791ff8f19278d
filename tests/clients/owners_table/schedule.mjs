// What all users do on the day of the owner's table: drawn from a seed, the same for every way of listening.
//
// Invariant: a user's steps are in the order of their times, and each can be taken once those before it have been. Who has
// lost the network does nothing until it is back.

/** The owner's table has 3 to 5 streams for each user. */
const TABS_MIN = 3;
const TABS_MAX = 5;

const RELOADS = 2;

// Parts of the day's length.
const FIRST_TAB_BY = 0.2;
const ALL_TABS_BY = 0.55;
const LAST_STEP_AT = 0.9;
const LOSS_MIN = 0.03;
const LOSS_MAX = 0.05;

/** Numbers in [0, 1) that a seed determines: mulberry32, which is public domain. */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * The steps of each of `users`, over `lengthMs`: `{ at, kind: 'open' }`, `{ at, kind: 'reload' | 'close', tab }`, where a tab
 * is its place among all that the user has opened, and `{ at, kind: 'lose', forMs }`.
 */
export function scheduleOf({ users, seed, lengthMs }) {
  // Each user has numbers of their own: one more draw for one of them moves nothing for the others.
  return Array.from({ length: users }, (_, user) => stepsOf(randomOf(seed * 65_537 + user), lengthMs));
}

function stepsOf(random, lengthMs) {
  const between = (from, to) => from + random() * (to - from);
  const times = (count, from, to) => Array.from({ length: count }, () => between(from, to));
  const tabs = TABS_MIN + Math.floor(random() * (TABS_MAX - TABS_MIN + 1));
  const first = between(0, FIRST_TAB_BY);
  const arrivals = [first, ...times(tabs - 1, first, ALL_TABS_BY)].map((at) => ({ at, kind: 'open' }));
  const middle = () => between((first + ALL_TABS_BY) / 2, LAST_STEP_AT);
  const changes = [...Array(RELOADS).fill('reload'), 'swap', 'lose'].map((kind) => ({ at: middle(), kind }));
  const open = [];
  const steps = [];
  let opened = 0;
  const draw = (list) => Math.floor(random() * list.length);
  for (const { at, kind } of [...arrivals, ...changes].sort((one, other) => one.at - other.at)) {
    const step = { at: Math.round(at * lengthMs), kind };
    if (kind === 'reload') step.tab = open[draw(open)];
    if (kind === 'lose') step.forMs = Math.round(between(LOSS_MIN, LOSS_MAX) * lengthMs);
    if (kind === 'swap') {
      // One tab is closed and another opened, so that users never have more tabs than they began with.
      const [tab] = open.splice(draw(open), 1);
      steps.push({ ...step, kind: 'close', tab });
      step.kind = 'open';
    }
    if (step.kind === 'open') {
      open.push(opened);
      opened += 1;
    }
    steps.push(step);
  }
  return steps;
}
