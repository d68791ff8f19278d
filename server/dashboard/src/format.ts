// Numbers as people read them: about three digits, the unit beside them, a dash for what nobody knows.

export const UNKNOWN = '–';

type Maybe = number | null | undefined;

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const MOMENT = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

const isKnown = (value: Maybe): value is number => typeof value === 'number' && Number.isFinite(value);

/** Three significant digits, without an exponent: 0.42, 8.10, 12.3, 840. */
function threeDigits(value: number): string {
  const decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return value === 0 ? '0' : value.toFixed(decimals);
}

function scaled(value: number, base: number, units: string[]): string {
  let rest = value;
  let unit = 0;
  while (rest >= base * 0.9995 && unit < units.length - 1) {
    rest /= base;
    unit += 1;
  }
  return unit === 0 ? `${WHOLE.format(rest)}${units[0]}` : `${threeDigits(rest)}${units[unit]}`;
}

/** Every digit: 1,234,567. */
export const exact = (value: Maybe): string => (isKnown(value) ? WHOLE.format(value) : UNKNOWN);

/** Every digit up to 99,999, then 123k, 1.23M. */
export function count(value: Maybe): string {
  if (!isKnown(value)) return UNKNOWN;
  return Math.abs(value) < 99_999.5 ? WHOLE.format(value) : scaled(value, 1000, ['', 'k', 'M', 'G', 'T']);
}

/** As `count`, with a decimal where a rate is small. */
export function rate(value: Maybe): string {
  if (!isKnown(value)) return UNKNOWN;
  if (value > 0 && value < 0.05) return '<0.1';
  return value > 0 && value < 9.95 ? value.toFixed(1) : count(value);
}

export function bytes(value: Maybe): string {
  return isKnown(value) ? scaled(value, 1024, [' B', ' KiB', ' MiB', ' GiB', ' TiB']) : UNKNOWN;
}

/** A rate of bytes, without the "/s" that its heading says. */
export const bytesPerSecond = (value: Maybe): string => bytes(isKnown(value) ? Math.round(value) : null);

export function milliseconds(value: Maybe): string {
  if (!isKnown(value)) return UNKNOWN;
  return value < 999.5 ? `${threeDigits(value)} ms` : `${threeDigits(value / 1000)} s`;
}

/** The two largest units: 850 ms, 12.3 s, 4m 05s, 3h 20m, 12d 4h. */
export function duration(seconds: Maybe): string {
  if (!isKnown(seconds)) return UNKNOWN;
  if (seconds < 1) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const pair = (large: number, a: string, small: number, b: string) => {
    const rest = Math.floor((whole % large) / small);
    return `${Math.floor(whole / large)}${a} ${b === 'h' ? rest : String(rest).padStart(2, '0')}${b}`;
  };
  if (whole < 3600) return pair(60, 'm', 1, 's');
  return whole < 86_400 ? pair(3600, 'h', 60, 'm') : pair(86_400, 'd', 3600, 'h');
}

/** Time of day of a moment, in the reader's zone. */
export function timeOfDay(moment: Date): string {
  return CLOCK.format(moment);
}

export function moment(text: string | null | undefined): string {
  const date = new Date(text ?? '');
  return Number.isNaN(date.getTime()) ? UNKNOWN : MOMENT.format(date);
}

/** What cannot be seen, or turns what follows around, as an escape: a name must not pass for another. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => {
    // Joins emoji, and letters of some scripts; alone it is harmless.
    return char === '\u200D' ? char : `\\u{${(char.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`;
  });
}

/** A name of the wire as words: `connection_limit` is "connection limit". */
export const words = (name: string): string => name.replaceAll('_', ' ');
