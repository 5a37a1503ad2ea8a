// A chart's data: history, and the readings that came since, in the same steps.
import type { Reading, Series } from '../api/types.ts';

export type Way = 'mean' | 'sum' | 'max';

export interface Line {
  channel: string;
  times: number[];
  values: number[];
}

interface Bucket {
  start: number;
  sum: number;
  max: number;
  n: number;
}

/** One quantity of one sensor over a range: a line for each channel. Live readings are added in place. */
export class Growing {
  readonly lines: Line[];
  private readonly buckets = new Map<string, Bucket>();

  /** stepMs 0: every reading is a point. way says what becomes of the readings of a step. */
  constructor(
    series: readonly Series[],
    private readonly stepMs: number,
    private readonly way: Way,
    private readonly spanMs: number,
  ) {
    this.lines = series.map((s) => ({ channel: s.channel, times: s.points.map(([t]) => t), values: s.points.map(([, v]) => v) })).sort((a, b) => a.channel.localeCompare(b.channel, undefined, { numeric: true }));
  }

  /** Adds a reading. False: it changed nothing, because it is older than what is there. */
  add(reading: Reading): boolean {
    const time = Date.parse(reading.time);
    let line = this.lines.find((l) => l.channel === reading.channel);
    if (line === undefined) {
      line = { channel: reading.channel, times: [], values: [] };
      this.lines.push(line);
    }
    const changed = this.stepMs === 0 ? put(line, time, reading.value) : this.addToStep(line, time, reading.value);
    if (changed) this.cut(line, time);
    return changed;
  }

  /** A step that history has already is left alone: what it was made of is not known here. */
  private addToStep(line: Line, time: number, value: number): boolean {
    // Steps go on from those of history: days begin at midnight in the city, not in UTC.
    const from = line.times.at(-1) ?? this.lines.find((l) => l.times.length > 0)?.times[0] ?? 0;
    const start = from + Math.floor((time - from) / this.stepMs) * this.stepMs;
    let bucket = this.buckets.get(line.channel);
    if (bucket === undefined || start > bucket.start) {
      if (start <= (line.times.at(-1) ?? -Infinity)) return false;
      bucket = { start, sum: 0, max: -Infinity, n: 0 };
      this.buckets.set(line.channel, bucket);
    }
    if (start < bucket.start) return false;
    bucket.sum += value;
    bucket.n++;
    bucket.max = Math.max(bucket.max, value);
    return put(line, start, this.way === 'sum' ? bucket.sum : this.way === 'max' ? bucket.max : bucket.sum / bucket.n);
  }

  /** Drops what has left the range, a tenth of it at a time. */
  private cut(line: Line, now: number): void {
    const oldest = now - this.spanMs * 1.1;
    if ((line.times[0] ?? Infinity) > oldest) return;
    const keep = line.times.findIndex((t) => t > now - this.spanMs);
    line.times.splice(0, keep);
    line.values.splice(0, keep);
  }
}

/** Puts a point at the end, or in the place of one of the same time. */
function put(line: Line, time: number, value: number): boolean {
  const last = line.times.at(-1);
  if (last === undefined || time > last) {
    line.times.push(time);
    line.values.push(value);
    return true;
  }
  if (time !== last) return false;
  const changed = line.values.at(-1) !== value;
  line.values[line.values.length - 1] = value;
  return changed;
}

/** A line without the step that is not over at a time: what is added up in it is too small as yet. */
export function closed(line: Line, stepMs: number, now: number): Line {
  const last = line.times.at(-1);
  if (last === undefined || last + stepMs <= now) return line;
  return { channel: line.channel, times: line.times.slice(0, -1), values: line.values.slice(0, -1) };
}

/**
 * How much a counter grew in each step; over a pause of several steps, evenly. Where it went back it was restarted or
 * wrapped: there is no answer then.
 */
export function increases(line: Line, stepMs: number): Line {
  const times: number[] = [];
  const values: number[] = [];
  for (let i = 1; i < line.times.length; i++) {
    const grew = (line.values[i] ?? 0) - (line.values[i - 1] ?? 0);
    if (grew < 0) continue;
    // Rounded, because a day on which clocks change has 23 or 25 hours.
    const steps = Math.max(1, Math.round(((line.times[i] ?? 0) - (line.times[i - 1] ?? 0)) / stepMs));
    times.push(line.times[i] ?? 0);
    values.push(grew / steps);
  }
  return { channel: line.channel, times, values };
}

/** The time that usually lies between two points: the median over all lines. 0: there are no two points. */
export function usualGap(lines: readonly Line[]): number {
  const gaps = lines.flatMap((l) => l.times.slice(1).map((t, i) => t - (l.times[i] ?? t))).sort((a, b) => a - b);
  return gaps[Math.floor(gaps.length / 2)] ?? 0;
}

/** The lines side by side on the times of all, as a chart wants them; null where a line has no value. A gap longer than
 * gapMs gets a null, so that it is seen as a gap. */
export function aligned(lines: readonly Line[], gapMs: number): [number[], ...(number | null)[][]] {
  const all = new Set<number>();
  for (const line of lines) {
    let before: number | undefined;
    for (const t of line.times) {
      if (before !== undefined && t - before > gapMs) all.add(before + gapMs / 2);
      all.add(t);
      before = t;
    }
  }
  const times = [...all].sort((a, b) => a - b);
  const columns = lines.map((line) => {
    const column: (number | null)[] = [];
    let at = 0;
    for (const t of times) {
      while (at < line.times.length && (line.times[at] ?? 0) < t) at++;
      column.push(line.times[at] === t ? (line.values[at] ?? null) : null);
    }
    return fill(column, times, gapMs);
  });
  return [times.map((t) => t / 1000), ...columns];
}

/** Between two values that are close enough, a null is only another channel's time: undefined bridges it in uPlot. */
function fill(column: (number | null)[], times: number[], gapMs: number): (number | null)[] {
  let before = -1;
  column.forEach((value, i) => {
    if (value === null) return;
    if (before >= 0 && (times[i] ?? 0) - (times[before] ?? 0) <= gapMs) {
      for (let j = before + 1; j < i; j++) column[j] = undefined as unknown as null;
    }
    before = i;
  });
  return column;
}
