import { describe, expect, it } from 'vitest';
import { bytes, delay, isRatio, meter, perSecond, plain, share, shown, ticks, withUnit } from '../src/words/numbers.ts';
import { ago, everySpan, span, timesIn } from '../src/words/times.ts';

const N = '\u202f';

describe('numbers', () => {
  it.each([
    ['a value keeps the digits that mean something', withUnit(38.421, 'km/h'), `38.4${N}km/h`],
    ['a small value keeps two', withUnit(0.4213, 'm'), `0.42${N}m`],
    ['a large one keeps none', withUnit(1284.7, 'V'), `1,285${N}V`],
    ['a whole number stays whole', withUnit(7, ''), '7'],
    ['power is scaled', withUnit(1_456_000, 'W'), `1.46${N}MW`],
    ['power below a thousand is not', withUnit(640, 'W'), `640${N}W`],
    ['negative power is scaled as well', withUnit(-2_500, 'W'), `-2.50${N}kW`],
    ['kilowatt-hours grow to megawatt-hours', withUnit(12_500, 'kWh'), `12.5${N}MWh`],
    ['other units are never scaled', withUnit(12_500, 'µg/m³'), `12,500${N}µg/m³`],
    ['a ratio is a percentage', withUnit(0.2137, '', true), `21${N}%`],
    ['a small ratio keeps a digit', withUnit(0.0213, '', true), `2.1${N}%`],
    ['zero has no sign', plain(-0), '0'],
    ['not a number is said', withUnit(Number.NaN, 'W'), 'no value'],
    ['nearly all is not all', share(0.99996), `99.9${N}%`],
    ['all is all', share(1), `100${N}%`],
    ['next to nothing is not nothing', share(0.0004), `under 0.1${N}%`],
    ['nothing is nothing', share(0), `0${N}%`],
    ['bytes', bytes(2_430_000), `2.4${N}MB`],
    ['few bytes', bytes(17), `17${N}B`],
  ])('%s', (_, got, want) => {
    expect(got).toBe(want);
  });

  it('a live number keeps its width', () => {
    expect(withUnit(38.96, 'km/h')).toBe(`39.0${N}km/h`);
    expect(withUnit(38.44, 'km/h')).toBe(`38.4${N}km/h`);
  });

  it('a frequency shows what the grid does', () => {
    expect(withUnit(49.976, 'Hz')).toBe(`49.98${N}Hz`);
    expect(withUnit(50, 'Hz')).toBe(`50.00${N}Hz`);
  });

  it('a meter shows its whole count, so that it is seen to grow', () => {
    expect(meter(20_922.46, 'kWh')).toEqual({ number: '20,922.46', unit: 'kWh' });
    expect(meter(20_923, 'kWh')).toEqual({ number: '20,923.00', unit: 'kWh' });
    expect(meter(1_284, '')).toEqual({ number: '1,284', unit: '' });
    expect(meter(Number.NaN, 'kWh')).toEqual({ number: 'no value', unit: '' });
  });

  it('an axis tells its values apart, in one unit', () => {
    expect(ticks([49.96, 49.98, 50], 0.02, 'Hz')).toEqual(['49.96', '49.98', '50.00']);
    expect(ticks([0, 500, 1000], 500, 'W')).toEqual([`0.0${N}kW`, `0.5${N}kW`, `1.0${N}kW`]);
    expect(ticks([0.1, 0.2], 0.1, '', true)).toEqual([`10${N}%`, `20${N}%`]);
    expect(ticks([0.931, 0.932], 0.001, '', true)).toEqual([`93.1${N}%`, `93.2${N}%`]);
    expect(ticks([40, 45], 5, 'km/h')).toEqual(['40', '45']);
    expect(ticks([55, 57.5], 2.5, 'dB')).toEqual(['55.0', '57.5']);
    expect(ticks([0, 0.25], 0.25, 'm')).toEqual(['0.00', '0.25']);
    expect(ticks([0, 20_000], 20_000, 'W')).toEqual([`0${N}kW`, `20${N}kW`]);
  });

  it('a power factor is no percentage', () => {
    expect(isRatio({ name: 'occupancy', senml: '/' })).toBe(true);
    expect(isRatio({ name: 'power_factor', senml: '/' })).toBe(false);
    expect(isRatio(undefined)).toBe(false);
  });

  it('the parts of a value can be set apart', () => {
    expect(shown(1_456_000, 'W')).toEqual({ number: '1.46', unit: 'MW' });
    expect(perSecond(43.2)).toEqual({ number: '43', unit: '/s' });
    expect(perSecond(0.42)).toEqual({ number: '0.4', unit: '/s' });
    expect(delay(41.2)).toEqual({ number: '41', unit: 'ms' });
    expect(delay(1240)).toEqual({ number: '1.2', unit: 's' });
  });
});

describe('times', () => {
  const berlin = timesIn('Europe/Berlin');

  it('are those of the city, summer and winter', () => {
    expect(berlin.exact(Date.UTC(2026, 6, 1, 10, 0, 5))).toBe('12:00:05');
    expect(berlin.clock(Date.UTC(2026, 0, 1, 23, 30))).toBe('00:30');
  });

  it('name the day when it is another one in the city', () => {
    const now = Date.UTC(2026, 4, 4, 22, 30); // 00:30 on the fifth in Berlin
    expect(berlin.near(Date.UTC(2026, 4, 4, 22, 5), now)).toBe('00:05');
    expect(berlin.near(Date.UTC(2026, 4, 4, 20, 0), now)).toContain('4 May');
  });

  it('an unknown zone gives that of the browser', () => {
    expect(timesIn('Mars/Olympus').zone).toBe(Intl.DateTimeFormat().resolvedOptions().timeZone);
  });

  it.each([
    [4_000, '4 s'],
    [89_000, '89 s'],
    [600_000, '10 min'],
    [3 * 3_600_000 + 20 * 60_000, '3 h 20 min'],
    [20 * 3_600_000, '20 h'],
    [5 * 86_400_000, '5 days'],
    [-500, '0 s'],
  ])('%d ms are %s', (ms, want) => {
    expect(span(ms)).toBe(want);
  });

  it('what has just been is just now, also when the clocks differ a little', () => {
    expect(ago(1000, 1500)).toBe('just now');
    expect(ago(5000, 1500)).toBe('just now');
    expect(ago(1000, 13_000)).toBe('12 s ago');
    expect(ago(121_000, 1000)).toBe('2 min ahead');
  });

  it('a cadence is spelled out', () => {
    expect(everySpan(1)).toBe('every second');
    expect(everySpan(10)).toBe('every 10 seconds');
    expect(everySpan(900)).toBe('every 15 minutes');
    expect(everySpan(3600)).toBe('every 1 h');
    expect(everySpan(0)).toBe('whenever it likes');
  });
});
