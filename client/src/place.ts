// What an id of the hub's own tells: which log, and where in it.
//
// `{log}-{position}`, with `e{n}` behind it for ephemeral events, which stand behind the kept one at that position. Ids that
// publishers or other servers chose tell nothing.

export interface Place {
  readonly log: string;
  readonly position: number;
  readonly number: number;
}

export function placeOf(id: string): Place | undefined {
  const match = /^([0-9a-f]{16})-(\d+)(?:e(\d+))?$/.exec(id);
  return match ? { log: match[1] ?? '', position: Number(match[2]), number: Number(match[3] ?? 0) } : undefined;
}

/** Whether `one` is known to be at `other` or before it. */
export function isUpTo(one: Place | undefined, other: Place | undefined): boolean {
  if (!one || !other || one.log !== other.log) return false;
  return one.position < other.position || (one.position === other.position && one.number <= other.number);
}
