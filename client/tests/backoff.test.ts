import { expect, test } from 'vitest';

import { Backoff } from '../src/backoff.ts';

/** The shortest and the longest waits of `count` failures in a row. */
function ranges(count: number, prepare: (backoff: Backoff) => void, capMs = 30_000): [number, number][] {
  const [low, high] = [0, 1].map((end) => {
    const backoff = new Backoff(capMs, () => end);
    prepare(backoff);
    return Array.from({ length: count }, () => backoff.next());
  });
  return (low ?? []).map((ms, index) => [ms, high?.[index] ?? NaN]);
}

test('without a word of the server the range doubles from a second, and is capped', () => {
  expect(ranges(7, () => {})).toEqual([1, 2, 4, 8, 16, 30, 30].map((s) => [0, s * 1000]));
});

test('what the server asks for is waited for, and the first time no longer', () => {
  expect(ranges(4, (backoff) => backoff.told(4000))).toEqual([
    [4000, 4000],
    [4000, 8000],
    [4000, 16_000],
    [4000, 30_000],
  ]);
});

test('the cap does not shorten what the server asks for', () => {
  expect(ranges(2, (backoff) => backoff.told(90_000))).toEqual([
    [90_000, 90_000],
    [90_000, 90_000],
  ]);
});

test('success begins anew', () => {
  const backoff = new Backoff(30_000, () => 1);
  backoff.next();
  backoff.next();
  backoff.succeeded();
  expect(backoff.next()).toBe(1000);
});

test('a wish for this once is a floor', () => {
  const backoff = new Backoff(30_000, () => 0);
  expect(backoff.next(5000)).toBe(5000);
  expect(backoff.next()).toBe(0);
});

test('a thousand failures wait no longer than the cap', () => {
  const backoff = new Backoff(30_000, Math.random);
  for (let n = 0; n < 1000; n += 1) expect(backoff.next()).toBeLessThanOrEqual(30_000);
});
