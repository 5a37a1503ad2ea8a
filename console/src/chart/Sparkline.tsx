// A small line without axes: the way of a figure over the last hour. It adds to a number beside it, which says it all.

interface SparklineProps {
  /** Unix milliseconds and value, in the order of time. */
  points: readonly (readonly [number, number])[];
  /** The last moment of the line, Unix milliseconds. */
  now: number;
  spanMs: number;
}

const WIDTH = 240;
const HEIGHT = 60;
const PAD = 5;

/** The path of the points; a pause longer than a tenth of the span breaks the line. */
export function sparkPath(points: readonly (readonly [number, number])[], now: number, spanMs: number): { line: string; area: string; last: [number, number] | undefined } {
  const from = now - spanMs;
  const kept = points.filter(([t]) => t >= from);
  const last = kept.at(-1);
  if (last === undefined) return { line: '', area: '', last: undefined };
  const values = kept.map(([, v]) => v);
  const low = Math.min(...values);
  const high = Math.max(...values);
  // A figure that hardly moves is drawn as hardly moving: the scale is at least 4 % of its size.
  const range = Math.max(high - low, Math.abs(high) * 0.04, 1e-9);
  const middle = (high + low) / 2;
  const x = (t: number): number => ((t - from) / spanMs) * (WIDTH - PAD);
  const y = (v: number): number => HEIGHT / 2 - ((v - middle) / range) * (HEIGHT - 2 * PAD);
  let line = '';
  let area = '';
  let before = -Infinity;
  let start = 0;
  for (const [t, v] of kept) {
    const px = x(t).toFixed(1);
    const py = y(v).toFixed(1);
    const broken = t - before > spanMs / 10;
    if (broken && area !== '') area += `L${x(before).toFixed(1)} ${HEIGHT}L${start.toFixed(1)} ${HEIGHT}Z`;
    if (broken) start = x(t);
    line += `${broken ? 'M' : 'L'}${px} ${py}`;
    area += `${broken ? 'M' : 'L'}${px} ${py}`;
    before = t;
  }
  area += `L${x(before).toFixed(1)} ${HEIGHT}L${start.toFixed(1)} ${HEIGHT}Z`;
  return { line, area, last: [x(last[0]), y(last[1])] };
}

export function Sparkline({ points, now, spanMs }: SparklineProps) {
  const { line, area, last } = sparkPath(points, now, spanMs);
  return (
    <svg className="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
      {last !== undefined && (
        <>
          <path d={area} className="sparkline-area" />
          <path d={line} className="sparkline-line" vectorEffect="non-scaling-stroke" />
          {/* A line of no length with round ends stays a disc however the drawing is stretched. */}
          <path d={`M${last[0]} ${last[1]}h.01`} className="sparkline-last" vectorEffect="non-scaling-stroke" />
        </>
      )}
    </svg>
  );
}
