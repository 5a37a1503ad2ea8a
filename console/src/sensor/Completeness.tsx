// How complete a sensor's last day is: the ledger, a quarter of an hour in each cell.
import { useState } from 'react';
import { query } from '../api/client.ts';
import { useResource } from '../api/resource.ts';
import type { SensorLedger } from '../api/types.ts';
import { Answer, Empty } from '../parts/Says.tsx';
import { reasonOf } from '../words/reasons.ts';
import { count, share, whole } from '../words/numbers.ts';
import { useTimes } from '../words/times.ts';

const DAY_MS = 86_400_000;
const CELL_MS = 900_000;
const CELLS = DAY_MS / CELL_MS;

export interface Cell {
  start: number;
  accepted: number;
  missing: number;
  rejected: number;
}

/** Adds the minutes of the ledger into cells of a quarter of an hour that end with the one of now. */
export function cellsOf(minutes: SensorLedger['minutes'], now: number): Cell[] {
  const first = Math.floor(now / CELL_MS) * CELL_MS - (CELLS - 1) * CELL_MS;
  const cells = Array.from({ length: CELLS }, (_, i): Cell => ({ start: first + i * CELL_MS, accepted: 0, missing: 0, rejected: 0 }));
  for (const m of minutes) {
    const cell = cells[Math.floor((Date.parse(m.time) - first) / CELL_MS)];
    if (cell === undefined) continue;
    cell.accepted += m.accepted ?? 0;
    cell.missing += m.missing ?? 0;
    cell.rejected += Object.values(m.rejected ?? {}).reduce((a, b) => a + b, 0);
  }
  return cells;
}

/** What a cell is: all there, some missing, nothing there, some refused, or nothing expected. */
export function cellState(c: Cell): 'full' | 'part' | 'gone' | 'refused' | 'none' {
  if (c.rejected > 0) return 'refused';
  if (c.missing > 0) return c.accepted > 0 ? 'part' : 'gone';
  return c.accepted > 0 ? 'full' : 'none';
}

/** The part of the reports expected that came, from 0 to 1; undefined where none was expected. */
export function completeness(l: Pick<SensorLedger, 'reports' | 'expected'>): number | undefined {
  return l.expected > 0 ? l.reports / l.expected : undefined;
}

const CELL_TITLE = { full: 'complete', part: 'some missing', gone: 'all missing', refused: 'some refused', none: 'nothing expected' };

function Strip({ cells }: { cells: Cell[] }) {
  const times = useTimes();
  const runs: { from: number; to: number; state: ReturnType<typeof cellState> }[] = [];
  for (const c of cells) {
    const state = cellState(c);
    const last = runs.at(-1);
    if (last?.state === state) last.to = c.start + CELL_MS;
    else runs.push({ from: c.start, to: c.start + CELL_MS, state });
  }
  const words = runs.filter((r) => r.state !== 'full' && r.state !== 'none').map((r) => `${times.clock(r.from)} to ${times.clock(r.to)} ${CELL_TITLE[r.state]}`);
  return (
    <>
      <div className="complete-strip" role="img" aria-label={words.length === 0 ? 'No gap in the last 24 hours' : `Gaps in the last 24 hours: ${words.slice(0, 20).join('; ')}`}>
        {cells.map((c) => (
          <span key={c.start} className={`cell ${cellState(c)}`} title={`${times.dateTime(c.start)}: ${c.accepted} accepted, ${c.missing} missing, ${c.rejected} refused`} />
        ))}
      </div>
      <div className="complete-axis" aria-hidden="true">
        {[0, 24, 48, 72].map((i) => (
          <span key={i}>{times.clock(cells[i]?.start ?? 0)}</span>
        ))}
        <span>now</span>
      </div>
      <ul className="complete-legend" aria-hidden="true">
        {(['full', 'part', 'gone', 'refused'] as const).map((s) => (
          <li key={s}>
            <span className={`cell ${s}`} />
            {CELL_TITLE[s]}
          </li>
        ))}
      </ul>
    </>
  );
}

export function Completeness({ id }: { id: string }) {
  const [now] = useState(() => Date.now());
  const kept = useResource<SensorLedger>(query(`ledger/sensors/${encodeURIComponent(id)}`, { from: new Date(Math.floor((now - DAY_MS) / 60_000) * 60_000).toISOString() }), 60_000);
  return (
    <section className="complete" aria-labelledby="complete-title">
      <h2 id="complete-title">Completeness, last 24 hours</h2>
      <Answer kept={kept} what="the ledger" lines={3}>
        {(l) => {
          const complete = completeness(l);
          const rejected = Object.entries(l.rejected).filter(([, n]) => n > 0);
          if (l.received === 0 && complete === undefined) {
            return (
              <Empty title="The ledger has nothing of this sensor">
                <p>Nothing was received in the last 24 hours. Let the sensor publish, then look again.</p>
              </Empty>
            );
          }
          return (
            <>
              <p className="complete-share">
                <span className="number">{complete === undefined ? 'none' : share(complete)}</span>
                <span>
                  {whole(l.reports)} of {whole(l.expected)} reports expected
                </span>
              </p>
              <Strip cells={cellsOf(l.minutes, (kept.at ?? now))} />
              <dl className="sums">
                {[
                  ['Received', l.received],
                  ['Duplicate', l.duplicate],
                  ['Late', l.late],
                  ['Written', l.written],
                  ['Waiting', l.waiting],
                  ['Missing', l.missing],
                ].map(([title, n]) => (
                  <div key={title}>
                    <dt>{title}</dt>
                    <dd>{whole(Number(n))}</dd>
                  </div>
                ))}
              </dl>
              {rejected.length > 0 && (
                <p>
                  Refused: {rejected.map(([reason, n]) => `${count(n, 'reading')} (${reasonOf(reason).title.toLowerCase()})`).join(', ')}.
                </p>
              )}
            </>
          );
        }}
      </Answer>
    </section>
  );
}
