// What tabs ought to have seen, and what they did.
//
// An event is due to a document from when its stream was first open. To a tab that is reloaded or closed, what came in its last
// seconds is not: its stream may have been away, with its user's network, and on its way back. Holes before the last event that
// it saw are holes all the same.

/**
 * The account of all `lives`. `published` has the time before each event was published, in milliseconds; `graceMs` is how long
 * a stream may be away.
 */
export function accountOf(lives, published, graceMs) {
  const sum = { documents: lives.length, survived: 0, blind: 0, due: 0, missed: 0, again: 0, gaps: 0, evicted: 0 };
  for (const life of lives) {
    const { due, missed, again, isBlind } = judge(life, published, graceMs);
    sum.due += due;
    sum.missed += missed;
    sum.again += again;
    sum.gaps += life.gaps;
    sum.evicted += life.evicted;
    sum.survived += life.end === 'survived';
    sum.blind += isBlind;
  }
  return sum;
}

/** The account of one document: `again` are events that came twice or out of order. */
export function judge(life, published, graceMs) {
  const numbers = life.runs.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, n) => from + n));
  const seen = new Set();
  let again = 0;
  let highest = -1;
  for (const number of numbers) {
    if (number <= highest) again += 1;
    highest = Math.max(highest, number);
    seen.add(number);
  }
  const isSurvivor = life.end === 'survived';
  const until = isSurvivor ? Infinity : life.endedAt - graceMs;
  const from = life.openedAt ?? Infinity;
  const isDue = (at, number) => at > from && (at <= until || number <= highest);
  const due = published.flatMap((at, number) => (isDue(at, number) ? [number] : []));
  const missed = due.filter((number) => !seen.has(number)).length;
  const isBlind = isSurvivor && highest !== published.length - 1;
  return { due: due.length, missed, again, isBlind };
}
