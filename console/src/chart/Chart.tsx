// A chart of one quantity, drawn by uPlot in the colours of the page and the city's zone. It is loaded after the text;
// the table beside it says the same.
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { isolated } from './isolated.ts';

export interface ChartLine {
  title: string;
  /** Index of the colour and stroke. */
  look: number;
}

export interface Band {
  low: (number | null)[];
  high: (number | null)[];
}

interface ChartProps {
  /** Seconds, then a column for each line; a new array for each change. */
  data: [number[], ...(number | null)[][]];
  lines: readonly ChartLine[];
  /** Names of the values 0, 1, 2 of a state; undefined for a number. */
  states: readonly string[] | undefined;
  zone: string;
  /** The values of the axis, a distance apart, as it says them: short. */
  ticks: (values: number[], distance: number) => string[];
  /** The shown range in seconds. */
  from: number;
  to: number;
  scheme: 'light' | 'dark';
  /** Charts of one key move their cursors together. */
  sync: string;
  label: string;
  onCursor: (index: number | null) => void;
}

const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3], [5, 2], [1, 4]];

const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const lookOf = (i: number) => ({ stroke: colour(`--line-${(i % 6) + 1}`), dash: DASHES[i % DASHES.length] ?? [] });
const textSize = () => Math.max(12, Math.round(Number.parseFloat(getComputedStyle(document.documentElement).fontSize) * 0.78));

function alone(u: uPlot, series: number): number[] | null {
  const found = isolated(Array.from<number | null | undefined>(u.data[series] ?? []));
  return found.length > 0 ? found : null;
}

type Shape = Pick<ChartProps, 'lines' | 'states' | 'zone' | 'ticks' | 'sync' | 'onCursor'>;

function options(p: Shape, width: number, height: number): uPlot.Options {
  const font = `${textSize()}px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: colour('--ink-2'), font, grid: { stroke: colour('--rule'), width: 1 }, ticks: { show: false } };
  const stepped = p.states === undefined ? {} : { paths: uPlot.paths.stepped?.({ align: 1 }) };
  const states = p.states;
  return {
    width,
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), p.zone),
    padding: [10, 10, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: p.sync }, drag: { x: false, y: false }, points: { size: 9 }, y: false },
    scales: { x: { time: true }, y: states === undefined ? {} : { range: [-0.3, states.length - 0.7] } },
    axes: [
      { ...axis, grid: { show: false }, space: 70, size: textSize() * 2.4, values: (_u, splits, _axis, _space, step) => timeLabels(splits, step, p.zone) },
      {
        ...axis,
        size: (_u, values) => Math.max(44, ...((values as string[] | null) ?? []).map((v) => v.length * textSize() * 0.58 + 18)),
        values: (_u, splits, _axis, _space, distance) => (states === undefined ? p.ticks(splits, distance) : splits.map((v) => states[v] ?? '')),
        ...(states === undefined ? {} : { splits: () => states.map((_, i) => i) }),
      },
    ],
    series: [
      {},
      ...p.lines.map((line): uPlot.Series => ({ label: line.title, ...lookOf(line.look), width: 2, spanGaps: false, points: { show: false, size: 6, fill: lookOf(line.look).stroke, filter: alone }, ...stepped }) as uPlot.Series),
    ],
    hooks: { setCursor: [(u) => p.onCursor(u.cursor.idx ?? null)] },
  };
}

/** Times along the axis: the hour, or the day where a day begins; 24 hours, as everywhere on the page. */
function timeLabels(splits: number[], step: number, zone: string): string[] {
  return splits.map((s) => {
    const d = uPlot.tzDate(new Date(s * 1000), zone);
    const day = d.getDate();
    const month = MONTHS[d.getMonth()] ?? '';
    if (step >= 28 * 86_400) return d.getMonth() === 0 ? String(d.getFullYear()) : month;
    if (step >= 86_400 || (d.getHours() === 0 && d.getMinutes() === 0)) return `${day} ${month}`;
    return `${String(d.getHours()).padStart(2, '0')}:${String(d.getMinutes()).padStart(2, '0')}`;
  });
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

export function Chart(props: ChartProps) {
  const { data, from, to, scheme, label } = props;
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });
  const shape = `${scheme}|${props.zone}|${props.lines.map((l) => l.title).join('|')}|${props.states?.join() ?? ''}`;

  useEffect(() => {
    const box = holder.current;
    if (box === null) return;
    const size = () => ({ width: Math.max(200, box.clientWidth), height: Math.max(140, box.clientHeight) });
    const p = latest.current;
    const { width, height } = size();
    const made = new uPlot(options({ ...p, onCursor: (i) => latest.current.onCursor(i), ticks: (v, d) => latest.current.ticks(v, d) }, width, height), p.data, box);
    plot.current = made;
    made.setScale('x', { min: p.from, max: p.to });
    const resized = new ResizeObserver(() => made.setSize(size()));
    resized.observe(box);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [shape]);

  useEffect(() => {
    const made = plot.current;
    if (made === undefined) return;
    made.batch(() => {
      made.setData(data, false);
      made.setScale('x', { min: from, max: to });
    });
  }, [data, from, to, shape]);

  return <div ref={holder} className="chart" role="img" aria-label={label} data-points={data[0].length} data-last={data[0].at(-1) ?? 0} />;
}
