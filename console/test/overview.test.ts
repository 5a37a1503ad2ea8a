import { describe, expect, it } from 'vitest';
import type { Quantity, Sensor, Series, Site } from '../src/api/types.ts';
import { sparkPath } from '../src/chart/Sparkline.tsx';
import { middleOf, namePoints } from '../src/map/names.ts';
import { longestFirst } from '../src/overview/Attention.tsx';
import { byDistrict } from '../src/overview/Districts.tsx';
import { madeOf, ownLast, titleAtSite, titleOf } from '../src/words/names.ts';
import { combine, grow, hasPast, prepend, trendOf } from '../src/overview/trends.ts';

const sensor = (id: string, last_seen: string | null): Sensor => ({
  id, title: id, site: 'x', site_title: 'X', district: 'd', lon: 0, lat: 0, publisher: id, cadence_s: 10, quantities: [], domains: [], state: 'silent', last_seen,
});
const series = (points: [number, number][]): Series => ({ sensor: 's', quantity: 'q', channel: '', unit: '', points });

describe('what needs attention', () => {
  it('the longest silent comes first', () => {
    const order = longestFirst([sensor('b', '2026-05-04T10:00:00Z'), sensor('a', '2026-05-04T10:00:00Z'), sensor('c', '2026-05-03T10:00:00Z')]);
    expect(order.map((s) => s.id)).toEqual(['c', 'a', 'b']);
  });
});

describe('quantities of a sensor', () => {
  it('are those of the city first, then those of the device itself', () => {
    const catalogue = [{ name: 'battery_level', device: true }, { name: 'laeq', device: false }, { name: 'signal_strength', device: true }] as Quantity[];
    expect(ownLast(['battery_level', 'laeq', 'not_known', 'signal_strength'], catalogue)).toEqual({ measured: ['laeq', 'not_known'], own: ['battery_level', 'signal_strength'] });
  });
});

describe('districts', () => {
  it('are the sums of their sites, the largest first', () => {
    const site = (id: string, district: string, sensors: number, silent: number): Site => ({ id, title: id, district, lon: 0, lat: 0, domains: [], sensors, silent, never: 0, state: 'ok' });
    const sums = byDistrict([site('1', 'old', 2, 1), site('2', 'new', 9, 0), site('3', 'old', 3, 0), site('4', '', 5, 5)], [{ id: 'old', title: 'Old Town', sites: 2, sensors: 5 }]);
    expect(sums).toEqual([
      { id: 'new', title: 'New', sensors: 9, silent: 0, never: 0 },
      { id: 'old', title: 'Old Town', sensors: 5, silent: 1, never: 0 },
    ]);
  });
});

describe('titles', () => {
  it('a sensor beside its site does not say it again', () => {
    expect(titleAtSite({ id: 'waste-1', title: 'Crane Yard 87, waste container', site_title: 'Crane Yard 87' })).toBe('Waste container');
    expect(titleAtSite({ id: 'waste-1', title: 'Crane Yard', site_title: 'Crane Yard 87' })).toBe('Crane Yard');
    expect(titleAtSite({ id: 'waste-1', title: '', site_title: '' })).toBe('waste-1');
  });

  it('what has only an id is shown by it', () => {
    expect(titleOf('mill-quarter', 'mill-quarter')).toBe('Mill Quarter');
    expect(titleOf('mill-quarter', '')).toBe('Mill Quarter');
    expect(titleOf('d7', 'The Docks')).toBe('The Docks');
  });
});

describe('trends', () => {
  it('grow by answers that are newer, and stay bounded', () => {
    for (let i = 0; i < 2000; i++) grow('a', i, i);
    grow('a', 5, 99);
    expect(trendOf('a').at(-1)).toEqual([1999, 1999]);
    expect(trendOf('a').length).toBeLessThanOrEqual(901);
  });

  it('the past goes before what was heard', () => {
    grow('b', 100, 1);
    prepend('b', [[50, 0], [100, 7], [150, 8]]);
    expect(trendOf('b')).toEqual([[50, 0], [100, 1]]);
  });

  it('many series become one as the figure does it', () => {
    const many = [series([[0, 10], [10, 20]]), series([[0, 30], [10, 40]])];
    expect(combine(many, 'mean', 0, 10, 10)).toEqual([[0, 20], [10, 30]]);
    expect(combine(many, 'sum', 0, 10, 10)).toEqual([[0, 40], [10, 60]]);
    expect(combine(many, 'max', 0, 10, 10)).toEqual([[0, 30], [10, 40]]);
  });

  it('a sensor counts for two steps after it last spoke; a sum without it would be too small, and is left out', () => {
    const sums = combine([series([[0, 5]]), series([[0, 1], [10, 1], [20, 1], [30, 1]])], 'sum', 0, 30, 10);
    expect(sums).toEqual([[0, 6], [10, 6], [20, 6]]);
  });

  it('a sensor that speaks seldom counts until it speaks again, but not over a long silence', () => {
    const step = 120_000;
    const often = Array.from({ length: 16 }, (_, i): [number, number] => [i * step, 1]);
    const seldom = combine([series([[0, 5], [8 * step, 5]]), series(often)], 'sum', 0, 9 * step, step);
    expect(seldom.map(([, v]) => v)).toEqual(Array.from({ length: 10 }, () => 6));
    const away = combine([series([[0, 5], [15 * step, 5]]), series(often)], 'sum', 0, 15 * step, step);
    expect(away.map(([t]) => t / step)).toEqual([0, 1, 2, 15]);
  });

  it('history knows nothing of how many sensors were in a state, nor of many sensors at once', () => {
    expect(hasPast({ sensors: 20 }, { kind: 'gauge' })).toBe(true);
    expect(hasPast({ sensors: 20 }, { kind: 'state' })).toBe(false);
    expect(hasPast({ sensors: 20 }, undefined)).toBe(false);
    expect(hasPast({ sensors: 5000 }, { kind: 'gauge' })).toBe(false);
  });

  it('a sum of counts says that each sensor has its own period', () => {
    expect(madeOf('sum', { kind: 'count' })).toBe('last counts of');
    expect(madeOf('sum', { kind: 'gauge' })).toBe('sum of');
    expect(madeOf('max', { kind: 'count' })).toBe('highest of');
  });

  it('a step at which nothing was said is left out', () => {
    expect(combine([series([[50, 1]])], 'mean', 0, 60, 10)).toEqual([[50, 1], [60, 1]]);
  });
});

describe('a sparkline', () => {
  it('breaks at a pause', () => {
    const { line } = sparkPath([[0, 1], [5, 2], [50, 3], [55, 4]], 60, 60);
    expect(line.match(/M/g)).toHaveLength(2);
  });

  it('a figure that hardly moves is drawn flat', () => {
    const { line } = sparkPath([[0, 1000], [5, 1001]], 10, 100);
    const heights = [...line.matchAll(/[ML][\d.]+ ([\d.]+)/g)].map((m) => Number(m[1]));
    expect(Math.abs((heights[0] ?? 0) - (heights[1] ?? 0))).toBeLessThan(3);
  });

  it('nothing gives nothing', () => {
    expect(sparkPath([], 10, 10)).toEqual({ line: '', area: '', last: undefined });
  });
});

describe('names on the map', () => {
  const square = [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]];

  it('stand in the middle of a plain area', () => {
    const [x = 0, y = 0] = middleOf(square);
    expect(x).toBeCloseTo(2, 1);
    expect(y).toBeCloseTo(2, 1);
  });

  it('stand inside an area whose middle lies outside', () => {
    const hook = [[0, 0], [10, 0], [10, 2], [2, 2], [2, 10], [0, 10], [0, 0]];
    const [x = 0, y = 0] = middleOf(hook);
    expect(x < 2 || y < 2).toBe(true);
    expect(x > 0 && y > 0 && x < 10 && y < 10).toBe(true);
  });

  it('each name stands once, streets and parks have none here', () => {
    const area = (kind: string, name: string) => ({ type: 'Feature' as const, properties: { kind, name }, geometry: { type: 'Polygon' as const, coordinates: [square] } });
    const points = namePoints({ type: 'FeatureCollection', features: [area('district', 'Old Town'), area('district', 'Old Town'), area('water', 'Alder'), area('park', 'Green'), area('district', '')] });
    expect(points.features.map((f) => f.properties?.name as string)).toEqual(['Old Town', 'Alder']);
  });
});
