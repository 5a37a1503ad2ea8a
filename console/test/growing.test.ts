import { describe, expect, it } from 'vitest';
import type { Reading, Series } from '../src/api/types.ts';
import { isolated } from '../src/chart/isolated.ts';
import { aligned, closed, Growing, increases, usualGap } from '../src/sensor/growing.ts';
import { RANGES, stepText } from '../src/sensor/ranges.ts';

const MINUTE = 60_000;
const T0 = Date.UTC(2026, 4, 4, 10);

const series = (channel: string, points: [number, number][]): Series => ({ sensor: 's', quantity: 'speed', channel, unit: 'km/h', points });
const reading = (channel: string, time: number, value: number): Reading => ({ sensor: 's', quantity: 'speed', channel, value, unit: 'km/h', time: new Date(time).toISOString() });

describe('a growing chart', () => {
  it('adds live readings at the end', () => {
    const g = new Growing([series('', [[T0, 1]])], 0, 'mean', 60 * MINUTE);
    expect(g.add(reading('', T0 + 1000, 2))).toBe(true);
    expect(g.lines).toEqual([{ channel: '', times: [T0, T0 + 1000], values: [1, 2] }]);
  });

  it('a reading that came twice changes nothing', () => {
    const g = new Growing([series('', [[T0, 1]])], 0, 'mean', 60 * MINUTE);
    expect(g.add(reading('', T0, 1))).toBe(false);
    expect(g.add(reading('', T0 - 1000, 5))).toBe(false);
    expect(g.lines[0]?.values).toEqual([1]);
  });

  it('a corrected reading replaces the one before', () => {
    const g = new Growing([series('', [[T0, 1]])], 0, 'mean', 60 * MINUTE);
    expect(g.add(reading('', T0, 9))).toBe(true);
    expect(g.lines[0]?.values).toEqual([9]);
  });

  it('a channel that is new gets a line', () => {
    const g = new Growing([series('lane1', [[T0, 1]])], 0, 'mean', 60 * MINUTE);
    g.add(reading('lane2', T0, 3));
    expect(g.lines.map((l) => l.channel)).toEqual(['lane1', 'lane2']);
  });

  it('channels stand in the order of their numbers', () => {
    const g = new Growing([series('lane10', []), series('lane2', [])], 0, 'mean', MINUTE);
    expect(g.lines.map((l) => l.channel)).toEqual(['lane2', 'lane10']);
  });

  it.each([
    ['mean', 3],
    ['sum', 6],
    ['max', 4],
  ] as const)('readings of a new step become its %s', (way, want) => {
    const g = new Growing([series('', [[T0, 1]])], 5 * MINUTE, way, 600 * MINUTE);
    const next = T0 + 5 * MINUTE;
    expect(g.add(reading('', next + 1000, 4))).toBe(true);
    g.add(reading('', next + 61_000, 2));
    expect(g.lines[0]).toEqual({ channel: '', times: [T0, next], values: [1, want] });
  });

  it('a step that history has is left alone', () => {
    const g = new Growing([series('', [[T0, 1]])], 5 * MINUTE, 'mean', 600 * MINUTE);
    expect(g.add(reading('', T0 + MINUTE, 99))).toBe(false);
    expect(g.lines[0]?.values).toEqual([1]);
  });

  it('its days go on from those of history, which begin at midnight in the city', () => {
    const midnight = Date.UTC(2026, 4, 3, 22);
    const g = new Growing([series('1', [[midnight, 1]])], 24 * 60 * MINUTE, 'sum', 365 * 24 * 60 * MINUTE);
    expect(g.add(reading('1', midnight + 23 * 60 * MINUTE, 5))).toBe(false);
    g.add(reading('1', midnight + 24 * 60 * MINUTE, 2));
    g.add(reading('1', midnight + 40 * 60 * MINUTE, 3));
    g.add(reading('2', midnight + 47 * 60 * MINUTE, 4));
    const next = midnight + 24 * 60 * MINUTE;
    expect(g.lines).toEqual([{ channel: '1', times: [midnight, next], values: [1, 5] }, { channel: '2', times: [next], values: [4] }]);
  });

  it('stays within its range however long it grows', () => {
    const g = new Growing([series('', [])], 0, 'mean', 10 * MINUTE);
    for (let i = 0; i < 5000; i++) g.add(reading('', T0 + i * 1000, i));
    expect(g.lines[0]?.times.length).toBeLessThanOrEqual(661);
    expect(g.lines[0]?.times.length).toBe(g.lines[0]?.values.length);
    expect(g.lines[0]?.values.at(-1)).toBe(4999);
  });
});

describe('a counter', () => {
  it('is shown by what it grew, and a restart is no growth', () => {
    expect(increases({ channel: 'l1', times: [0, 10, 20, 30], values: [100, 105, 2, 9] }, 10)).toEqual({ channel: 'l1', times: [10, 30], values: [5, 7] });
    expect(increases({ channel: '', times: [5], values: [1] }, 10)).toEqual({ channel: '', times: [], values: [] });
  });

  it('what it grew over a pause is spread over the steps of it', () => {
    expect(increases({ channel: '', times: [0, 30], values: [100, 106] }, 10).values).toEqual([2]);
  });

  it('a day on which clocks change is one day', () => {
    const day = 24 * 60 * MINUTE;
    expect(increases({ channel: '', times: [0, 25 * 60 * MINUTE, 25 * 60 * MINUTE + day], values: [0, 50, 60] }, day).values).toEqual([50, 10]);
  });

  it('a step that is not over is left out of what is added up', () => {
    const line = { channel: '', times: [0, 10], values: [7, 1] };
    expect(closed(line, 10, 15).times).toEqual([0]);
    expect(closed(line, 10, 20)).toBe(line);
  });

  it('the usual distance is not moved by a long pause', () => {
    expect(usualGap([{ channel: '', times: [0, 10, 20, 900], values: [] }])).toBe(10);
    expect(usualGap([])).toBe(0);
  });
});

describe('lines side by side', () => {
  it('stand on the times of all', () => {
    const [times, a, b] = aligned([{ channel: 'a', times: [1000, 3000], values: [1, 3] }, { channel: 'b', times: [2000], values: [2] }], 60_000);
    expect(times).toEqual([1, 2, 3]);
    expect(a).toEqual([1, undefined, 3]); // bridged: the gap is only the other's time
    expect(b).toEqual([null, 2, null]);
  });

  it('a pause is a gap', () => {
    const [times, a] = aligned([{ channel: '', times: [0, 1000, 100_000], values: [1, 2, 3] }], 5000);
    expect(times).toEqual([0, 1, 3.5, 100]);
    expect(a).toEqual([1, 2, null, 3]);
  });

  it('nothing gives nothing', () => {
    expect(aligned([], 1000)).toEqual([[]]);
  });
});

describe('points', () => {
  it('that stand alone are found, to be drawn as dots', () => {
    expect(isolated([1, null, 2, 3, null, undefined, 4, undefined, null])).toEqual([0, 6]);
    expect(isolated([1, undefined, 2])).toEqual([]);
    expect(isolated([7])).toEqual([0]);
    expect(isolated([])).toEqual([]);
  });
});

describe('ranges', () => {
  it('give a few hundred points each, and steps that the API reads', () => {
    for (const r of RANGES.filter((range) => range.stepMs > 0)) {
      expect(r.spanMs / r.stepMs).toBeGreaterThanOrEqual(280);
      expect(r.spanMs / r.stepMs).toBeLessThanOrEqual(400);
    }
    expect(RANGES.map((r) => stepText(r.stepMs))).toEqual(['', '5m', '30m', '2h', '1d']);
  });
});
