// How numbers read.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { bytes, count, duration, milliseconds, moment, rate, visible, words } from '../src/format';

function check<T>(shown: (value: T) => string, cases: [T, string][]): void {
  for (const [value, expected] of cases) assert.equal(shown(value), expected, String(value));
}

test('counts keep their digits while there is room', () => {
  check(count, [
    [0, '0'],
    [1234, '1,234'],
    [99_999, '99,999'],
    [100_000, '100k'],
    [1_234_567, '1.23M'],
    [null, '–'],
  ]);
});

test('small rates have a decimal', () => {
  check(rate, [
    [0, '0'],
    [0.04, '<0.1'],
    [0.42, '0.4'],
    [9.94, '9.9'],
    [10.2, '10'],
    [150_400, '150k'],
    [undefined, '–'],
  ]);
});

test('bytes are counted in powers of 1024', () => {
  check(bytes, [
    [0, '0 B'],
    [1000, '1,000 B'],
    [1024, '1.00 KiB'],
    [64 * 1024 * 1024, '64.0 MiB'],
    [3e12, '2.73 TiB'],
  ]);
});

test('milliseconds become seconds when they are many', () => {
  check(milliseconds, [
    [0, '0 ms'],
    [0.421, '0.42 ms'],
    [12.34, '12.3 ms'],
    [999, '999 ms'],
    [1240, '1.24 s'],
    [NaN, '–'],
  ]);
});

test('durations have at most two units', () => {
  check(duration, [
    [0.05, '50 ms'],
    [12.34, '12.3 s'],
    [59.96, '1m 00s'],
    [245, '4m 05s'],
    [12_030, '3h 20m'],
    [1_051_200, '12d 4h'],
  ]);
});

test('what is no moment is unknown', () => {
  check(moment, [
    [null, '–'],
    ['', '–'],
    ['never', '–'],
  ]);
});

test('a name cannot hide or turn around', () => {
  check(visible, [
    ['alice', 'alice'],
    ['\u202Eecila', '\\u{202E}ecila'],
    ['a\u200Blice\n', 'a\\u{200B}lice\\u{A}'],
    ['👩\u200D👧 grüße', '👩\u200D👧 grüße'],
  ]);
});

test('names of the wire are read as words', () => {
  check(words, [['connection_limit', 'connection limit']]);
});
