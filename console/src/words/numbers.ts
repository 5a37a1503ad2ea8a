// Numbers for people: with a unit, no more digits than mean something, and large ones in a unit of their size.
import type { Quantity } from '../api/types.ts';

const LOCALE = 'en-GB';
/** Joins a number and its unit so that they stay on one line. */
const JOIN = '\u202f';

export interface Shown {
  number: string;
  /** Empty for a bare number. */
  unit: string;
}

const PREFIXES: readonly [number, string][] = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
];
/** Units that take k, M and G in daily use. */
const SCALED = new Set(['W', 'Wh', 'VA', 'var', 'varh', 'VAh', 'J', 'Hz', 'bit/s']);

const formats = new Map<string, Intl.NumberFormat>();
function formatOf(options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = JSON.stringify(options);
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.NumberFormat(LOCALE, options);
    formats.set(key, format);
  }
  return format;
}

/** How many digits after the point a value of this size is worth. */
function digitsFor(value: number): number {
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return 0;
  return size >= 10 ? 1 : 2;
}

/** A number alone: 1,284 or 0.42. */
export function plain(value: number, digits?: number): string {
  if (!Number.isFinite(value)) return 'no value';
  // Always as many digits, so that a live number does not change its width at every tenth.
  const fraction = digits ?? digitsFor(value);
  return formatOf({ minimumFractionDigits: fraction, maximumFractionDigits: fraction }).format(value === 0 ? 0 : value);
}

/** A whole number: 1,284. */
export const whole = (value: number) => formatOf({ maximumFractionDigits: 0 }).format(Math.round(value));

/** A share of 1 as a percentage; 100 % only when it is all. */
export function share(value: number): string {
  const percent = value * 100;
  const digits = percent > 0 && percent < 100 && (percent < 10 || percent > 99) ? 1 : 0;
  if (percent > 0 && percent < 0.1) return `under 0.1${JOIN}%`;
  const floored = value < 1 ? Math.min(percent, 99.9) : percent;
  return `${formatOf({ maximumFractionDigits: digits }).format(floored)}${JOIN}%`;
}

/** Is this quantity a ratio, kept as 0..1 and shown as a percentage? A power factor is one that nobody says in percent. */
export const isRatio = (quantity: Pick<Quantity, 'senml' | 'name'> | undefined) => quantity?.senml === '/' && quantity.name !== 'power_factor';

/** A value with its unit, apart, for setting the number large and the unit small. */
export function shown(value: number, unit: string, ratio = false): Shown {
  if (!Number.isFinite(value)) return { number: 'no value', unit: '' };
  if (unit === 'Hz' && Math.abs(value) < 1000) return { number: plain(value, 2), unit };
  if (ratio) return { number: plain(value * 100, Math.abs(value) < 0.1 ? 1 : 0), unit: '%' };
  if (unit.startsWith('k') && SCALED.has(unit.slice(1)) && Math.abs(value) >= 1000) return shown(value * 1000, unit.slice(1));
  if (SCALED.has(unit)) {
    for (const [size, prefix] of PREFIXES) {
      if (Math.abs(value) >= size) {
        const scaled = value / size;
        return { number: plain(scaled, Math.abs(scaled) >= 100 ? 0 : Math.abs(scaled) >= 10 ? 1 : 2), unit: prefix + unit };
      }
    }
  }
  return { number: plain(value), unit };
}

/** What a meter has counted: every digit of it, in its own unit, as on the meter itself. */
export function meter(value: number, unit: string): Shown {
  return Number.isFinite(value) ? { number: plain(value, unit === '' ? 0 : 2), unit } : { number: 'no value', unit: '' };
}

/** Whole, but for what binary fractions lose. */
const isWhole = (n: number) => Math.abs(n - Math.round(n)) < 1e-6 && Math.round(n) !== 0;

/** The numbers of an axis: all in one unit, with as many digits as their distance needs. Only a unit that was scaled is named. */
export function ticks(values: readonly number[], distance: number, unit: string, ratio = false): string[] {
  const most = Math.max(...values.map((v) => Math.abs(v)));
  const scale = ratio ? { size: 0.01, unit: '%' } : SCALED.has(unit) ? { size: PREFIXES.find(([size]) => most >= size)?.[0] ?? 1, unit: shown(most, unit).unit } : { size: 1, unit };
  const digits = [0, 1, 2, 3, 4, 5].find((d) => isWhole((distance / scale.size) * 10 ** d)) ?? 6;
  return values.map((v) => {
    const number = formatOf({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(v === 0 ? 0 : v / scale.size);
    return scale.size === 1 ? number : `${number}${JOIN}${scale.unit}`;
  });
}

/** A value with its unit in one text. */
export function withUnit(value: number, unit: string, ratio = false): string {
  const s = shown(value, unit, ratio);
  return s.unit === '' ? s.number : `${s.number}${JOIN}${s.unit}`;
}

/** An amount of memory or disk: 2.4 MB. */
export function bytes(count: number): string {
  for (const [size, prefix] of PREFIXES) {
    if (count >= size) return `${plain(count / size, count / size >= 100 ? 0 : 1)}${JOIN}${prefix}B`;
  }
  return `${whole(count)}${JOIN}B`;
}

/** A number and its noun: 1 sensor, 2 sensors. */
export const count = (n: number, one: string, many = `${one}s`) => `${whole(n)} ${n === 1 ? one : many}`;

/** How often something happens: 182/s, 0.4/s. */
export const perSecond = (rate: number): Shown => ({ number: plain(rate, rate >= 10 ? 0 : 1), unit: '/s' });

/** A short time in milliseconds: 41 ms, 1.2 s. */
export const delay = (ms: number): Shown =>
  ms >= 1000 ? { number: plain(ms / 1000, 1), unit: 's' } : { number: plain(ms, ms < 10 ? 1 : 0), unit: 'ms' };
