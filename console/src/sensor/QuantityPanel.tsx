// One quantity of a sensor: what it says now, on each channel, and its way over the chosen range.
import { lazy, Suspense, useEffect, useMemo, useState } from 'react';
import { useScheme } from '../app/theme.ts';
import type { Quantity, Reading } from '../api/types.ts';
import { Aged } from '../parts/Aged.tsx';
import { Empty, Trouble, Waiting } from '../parts/Says.tsx';
import { isRatio, meter, shown, ticks, withUnit } from '../words/numbers.ts';
import { ago, useNow, useTimes } from '../words/times.ts';
import { aligned, closed, increases, type Line, usualGap, type Way } from './growing.ts';
import type { Range } from './ranges.ts';
import { stepTitle } from './ranges.ts';
import { type Grown, useHistory } from './useHistory.ts';

const Chart = lazy(async () => ({ default: (await import('../chart/Chart.tsx')).Chart }));

const TABLE_ROWS = 120;

/** How the readings of a step become one: vehicles are added, meters and states take the highest, levels the mean. */
export const wayOf = (kind: Quantity['kind'] | undefined): Way => (kind === 'count' ? 'sum' : kind === 'counter' || kind === 'state' ? 'max' : 'mean');
const WAY_TITLE: Record<Way, string> = { mean: 'mean', sum: 'sum', max: 'highest' };

interface QuantityPanelProps {
  sensor: string;
  name: string;
  quantity: Quantity | undefined;
  cadenceMs: number;
  latest: readonly Reading[];
  range: Range;
  /** Hands on live readings of this quantity; gives what stops it. */
  onReadings: (quantity: string, listen: (readings: Reading[]) => void) => () => void;
}

/** The lines as they are drawn: without the step that is open, and by their increase, where that is wanted. */
function shape(lines: readonly Line[], stepMs: number, added: boolean, grows: boolean): readonly Line[] {
  const over = added ? lines.map((l) => closed(l, stepMs, Date.now())) : lines;
  return grows ? over.map((l) => increases(l, stepMs)) : over;
}

/** The sample of a line beside its name: colour and dashes as in the chart. */
function Swatch({ look }: { look: number }) {
  return (
    <svg className={`swatch line-${(look % 6) + 1}`} viewBox="0 0 28 8" aria-hidden="true" focusable="false">
      <path d="M1 4h26" />
    </svg>
  );
}

const channelTitle = (channel: string, title: string) => (channel === '' ? title : channel);

// What a device tells of itself comes more seldom than its cadence says: it is shown with its age, never as too old.
function Now({ readings, quantity, cadenceMs, several }: { readings: readonly Reading[]; quantity: Quantity | undefined; cadenceMs: number; several: boolean }) {
  const now = useNow(1000);
  const times = useTimes();
  if (readings.length === 0) return <p className="quiet">No value yet.</p>;
  return (
    <ul className="now-list">
      {readings.map((r, i) => {
        const at = Date.parse(r.time);
        const value = quantity?.kind === 'counter' ? meter(r.value, r.unit) : shown(r.value, r.unit, isRatio(quantity));
        return (
          <Aged as="li" key={r.channel} at={at} limitMs={cadenceMs === 0 || quantity?.device === true ? Infinity : 2 * cadenceMs + 10_000} className="now">
            {several && (
              <p className="now-channel">
                <Swatch look={i} />
                {r.channel || 'whole'}
              </p>
            )}
            <p className="now-value">
              <span className="number">{r.state ?? value.number}</span>
              {r.state === undefined && value.unit !== '' && <span className="unit">{value.unit}</span>}
            </p>
            <p className="quiet">
              <time dateTime={r.time} title={times.full(at)}>
                {ago(at, now)}
              </time>
              {r.stamped === true && ', stamped on receipt'}
            </p>
          </Aged>
        );
      })}
    </ul>
  );
}

function Table({ data, lines, format, title }: { data: [number[], ...(number | null)[][]]; lines: readonly { title: string }[]; format: (v: number) => string; title: string }) {
  const times = useTimes();
  const [stamps, ...columns] = data;
  const rows = stamps.map((_, i) => i).filter((i) => columns.some((c) => typeof c[i] === 'number'));
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label={`${title} as a table`}>
      <table>
        <caption className="hidden-text">{title}, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Measured</th>
            {lines.map((l) => (
              <th key={l.title} scope="col">
                {l.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows
            .slice(-TABLE_ROWS)
            .reverse()
            .map((i) => (
              <tr key={stamps[i]}>
                <th scope="row">{times.dateTime((stamps[i] ?? 0) * 1000)}</th>
                {columns.map((c, k) => {
                  const value = c[i];
                  return <td key={lines[k]?.title ?? k}>{typeof value === 'number' ? format(value) : ''}</td>;
                })}
              </tr>
            ))}
        </tbody>
      </table>
      {rows.length > TABLE_ROWS && <p className="quiet">The newest {TABLE_ROWS} of {rows.length}.</p>}
    </div>
  );
}

/** In words, for those who cannot see the chart. */
function describe(title: string, lines: readonly Line[], range: Range, format: (v: number) => string): string {
  const parts = lines.map((l) => {
    const values = l.values;
    if (values.length === 0) return `${channelTitle(l.channel, title)}: no values`;
    const low = values.reduce((a, b) => Math.min(a, b));
    const high = values.reduce((a, b) => Math.max(a, b));
    return `${channelTitle(l.channel, title)}: lowest ${format(low)}, highest ${format(high)}, last ${format(values.at(-1) ?? 0)}`;
  });
  return `Chart of ${title.toLowerCase()} over ${range.title}. ${parts.join('. ')}. The table below says the same.`;
}

function Drawn({ grown, title, quantity, cadenceMs, unit }: { grown: Grown; title: string; quantity: Quantity | undefined; cadenceMs: number; unit: string }) {
  const scheme = useScheme();
  const times = useTimes();
  const now = useNow(5000);
  const [asTable, setAsTable] = useState(false);
  const [cursor, setCursor] = useState<number | null>(null);
  const { growing, range, version } = grown;
  const states = quantity?.kind === 'state' ? (quantity.states ?? []) : undefined;
  const format = (value: number): string => states?.[value] ?? withUnit(value, unit, isRatio(quantity));
  // A counter's level says little over a day; what it grew by does.
  const grows = quantity?.kind === 'counter' && range.stepMs > 0;
  const gapMs = Math.max(range.stepMs === 0 ? Math.max(4 * cadenceMs, 60_000) : range.stepMs * 2.5, 1.6 * usualGap(growing.lines));
  // What is added up is too small until its step is over.
  const added = range.stepMs > 0 && (grows || quantity?.kind === 'count');
  // version stands for the contents of growing, which change in place.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const drawn = useMemo(() => shape(growing.lines, range.stepMs, added, grows), [growing, range, added, grows, version]);
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const data = useMemo(() => aligned(drawn, gapMs), [drawn, gapMs, version]);
  const lines = drawn.map((l, i) => ({ title: channelTitle(l.channel, title), look: i }));
  const at = cursor === null ? undefined : data[0][cursor];
  return (
    <div className="drawn">
      <div className="chart-box">
        <Suspense fallback={<Waiting what="the chart" lines={1} />}>
          <Chart
            data={data}
            lines={lines}
            states={states}
            zone={times.zone}
            ticks={(v, distance) => ticks(v, distance, unit, isRatio(quantity))}
            from={(now - range.spanMs) / 1000}
            to={Math.max(now / 1000, data[0].at(-1) ?? 0)}
            scheme={scheme}
            sync="sensor"
            label={describe(grows ? `${title}, increase` : title, drawn, range, format)}
            onCursor={setCursor}
          />
        </Suspense>
        {at !== undefined && cursor !== null && (
          <p className="chart-cursor" aria-hidden="true">
            {times.dateTime(at * 1000)}
            {lines.map((l, i) => {
              const value = data[i + 1]?.[cursor];
              return typeof value === 'number' ? (
                <span key={l.title}>
                  <Swatch look={i} /> {lines.length > 1 && `${l.title} `}
                  <strong>{format(value)}</strong>
                </span>
              ) : null;
            })}
          </p>
        )}
      </div>
      {grown.truncated && <p className="quiet">There is more than can be shown at once: this is the first part. Choose a shorter range.</p>}
      <button type="button" className="text-button" aria-expanded={asTable} onClick={() => setAsTable(!asTable)}>
        {asTable ? 'Hide the table' : 'Show as a table'}
      </button>
      {asTable && <Table data={data} lines={lines} format={format} title={title} />}
    </div>
  );
}

export function QuantityPanel({ sensor, name, quantity, cadenceMs, latest, range, onReadings }: QuantityPanelProps) {
  const way = wayOf(quantity?.kind);
  const { grown, fault, add, reload } = useHistory(sensor, name, range, way);
  useEffect(() => onReadings(name, add), [onReadings, name, add]);
  const title = quantity?.title ?? name;
  const unit = latest[0]?.unit ?? quantity?.unit ?? '';
  const empty = grown?.growing.lines.every((l) => l.times.length === 0) === true;
  return (
    <section className="quantity" aria-labelledby={`quantity-${name}`}>
      <div className="quantity-now">
        <h2 id={`quantity-${name}`}>{title}</h2>
        <Now readings={latest} quantity={quantity} cadenceMs={cadenceMs} several={latest.length > 1} />
        {range.stepMs > 0 && (
          <p className="quiet">
            {quantity?.kind === 'counter' ? 'increase in' : `${WAY_TITLE[way]} of`} each {stepTitle(range.stepMs)}
          </p>
        )}
      </div>
      <div className="quantity-chart" data-pending={(grown?.range ?? range) !== range}>
        {fault !== undefined && <Trouble fault={fault} retry={reload} />}
        {grown === undefined && fault === undefined && <Waiting what={`the history of ${title}`} lines={4} />}
        {empty && (
          <Empty title={`Nothing in the last ${range.title}`}>
            <p>Choose a longer range above; the chart grows as soon as a reading comes.</p>
          </Empty>
        )}
        {grown !== undefined && !empty && <Drawn grown={grown} title={title} quantity={quantity} cadenceMs={cadenceMs} unit={unit} />}
      </div>
    </section>
  );
}
