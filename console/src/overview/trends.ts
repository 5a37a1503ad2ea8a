// The last hour of every figure on the wall. It begins with history, where the city is small enough to ask for it, and
// grows with every answer; it outlives a step to another page and back.
import { get, query } from '../api/client.ts';
import type { Figure, History, Quantity, Series } from '../api/types.ts';

export const TREND_MS = 3_600_000;
const MAX_POINTS = 900;
/** History of a figure is the history of all its sensors: above this many it grows from now on instead. */
const SEED_SENSORS_MAX = 250;
const SEED_STEP_MS = 120_000;

export type Point = readonly [number, number];

const trends = new Map<string, Point[]>();
const seeded = new Set<string>();

export const trendKey = (figure: Pick<Figure, 'domain' | 'quantity' | 'agg'>) => `${figure.domain}/${figure.quantity}/${figure.agg}`;

/** The points of a trend; the same array until one is added. */
export const trendOf = (key: string): readonly Point[] => trends.get(key) ?? [];

/** Adds a value to a trend; a time that is not later than the last is left out. */
export function grow(key: string, time: number, value: number): void {
  const points = trends.get(key) ?? [];
  const last = points.at(-1);
  if (last !== undefined && time <= last[0]) return;
  trends.set(key, [...points.slice(-MAX_POINTS), [time, value]]);
}

/** Puts the past before what has been heard since. */
export function prepend(key: string, past: readonly Point[]): void {
  const points = trends.get(key) ?? [];
  const first = points[0]?.[0] ?? Infinity;
  trends.set(key, [...past.filter(([t]) => t < first), ...points]);
}

/** What a series said holds until it speaks again, if that is not longer than this; the last it said, for two steps. */
const HOLD_MS = 1_200_000;

/** A sum of less than this share of the sensors is no sum of all of them; a mean or maximum bears more to be away. */
const ENOUGH = { sum: 0.9, mean: 0.5, max: 0.5 };

/**
 * One line from many series: at each step the mean, sum or maximum of what each last said. A step at which too few of
 * those that spoke at all had spoken yet, or still, is left out.
 */
export function combine(series: readonly Series[], agg: Figure['agg'], from: number, to: number, stepMs: number): Point[] {
  const places = series.map(() => 0);
  const speaking = series.filter((s) => s.points.length > 0).length;
  const made: Point[] = [];
  for (let t = Math.ceil(from / stepMs) * stepMs; t <= to; t += stepMs) {
    const values: number[] = [];
    series.forEach((s, i) => {
      let at = places[i] ?? 0;
      while (at + 1 < s.points.length && (s.points[at + 1]?.[0] ?? Infinity) <= t) at++;
      places[i] = at;
      const point = s.points[at];
      if (point === undefined || point[0] > t) return;
      const next = s.points[at + 1]?.[0];
      const held = next !== undefined && next - point[0] <= HOLD_MS;
      if (held || t - point[0] <= 2 * stepMs) values.push(point[1]);
    });
    if (values.length === 0 || values.length < speaking * ENOUGH[agg]) continue;
    const sum = values.reduce((a, b) => a + b, 0);
    made.push([t, agg === 'sum' ? sum : agg === 'max' ? Math.max(...values) : sum / values.length]);
  }
  return made;
}

/** Can history tell what the figure was? Of states it has the numbers, whose sums and means say nothing. */
export const hasPast = (figure: Pick<Figure, 'sensors'>, quantity: Pick<Quantity, 'kind'> | undefined) => figure.sensors <= SEED_SENSORS_MAX && quantity !== undefined && quantity.kind !== 'state';

/** Asks for the last hour of the figures that have none yet. It never rejects: without it trends grow from now on. */
export async function seed(figures: readonly Figure[], quantities: ReadonlyMap<string, Quantity>, stop: AbortSignal): Promise<void> {
  for (const figure of figures) {
    const key = trendKey(figure);
    if (seeded.has(key) || !hasPast(figure, quantities.get(figure.quantity))) continue;
    seeded.add(key);
    const to = Date.now();
    const from = to - TREND_MS;
    try {
      const path = query('history', { quantity: figure.quantity, from: new Date(from).toISOString(), to: new Date(to).toISOString(), step: `${SEED_STEP_MS / 1000}s`, agg: figure.agg === 'max' ? 'max' : 'mean' });
      const history = await get<History>(path, stop);
      if (!history.truncated) prepend(key, combine(history.series, figure.agg, from, to - SEED_STEP_MS, SEED_STEP_MS));
    } catch {
      if (stop.aborted) seeded.delete(key);
    }
  }
}
