// The live figures of the city, by domain: one large, the others beside it, each with its last hour.
import { useEffect, useMemo, useRef, useState } from 'react';
import type { Kept } from '../api/resource.ts';
import type { Domain, Figure, List, Quantity } from '../api/types.ts';
import { DOMAINS } from '../api/types.ts';
import { Sparkline } from '../chart/Sparkline.tsx';
import { Aged } from '../parts/Aged.tsx';
import { DomainIcon } from '../parts/Icons.tsx';
import { Answer, Empty } from '../parts/Says.tsx';
import { DOMAIN_TITLE, madeOf } from '../words/names.ts';
import { isRatio, type Shown, shown, whole } from '../words/numbers.ts';
import { useNow, useTimes } from '../words/times.ts';
import { grow, type Point, seed, TREND_MS, trendKey, trendOf } from './trends.ts';

const OLD_AFTER_MS = 20_000;
/** A range over less than this says nothing. */
const TOO_SHORT_MS = 180_000;
/** One large and a row of three. */
const WALL_FIGURES = 4;

const NO_QUANTITIES: ReadonlyMap<string, Quantity> = new Map();

type FiguresKept = Kept<{ items: Figure[] }> & { reload: () => void };

/** A figure in words; what is counted comes in whole numbers, also where its past is a mean. */
function wordsOf(figure: Figure, quantity: Quantity | undefined): (value: number) => Shown {
  const counted = quantity?.kind === 'count' || quantity?.kind === 'state';
  return (value) => shown(counted ? Math.round(value) : value, figure.unit, isRatio(quantity));
}

/** Feeds the trends with every answer, and fetches their past once the page has been shown. */
function useTrends(kept: FiguresKept, quantities: ReadonlyMap<string, Quantity> | undefined): void {
  const [, redraw] = useState(0);
  const figures = kept.data?.items;
  useEffect(() => {
    if (figures === undefined || kept.at === undefined) return;
    for (const f of figures) grow(trendKey(f), kept.at, f.value);
  }, [figures, kept.at]);
  // Asked for once per opening of the page: later answers have the same figures.
  const wanted = useRef<readonly Figure[]>([]);
  useEffect(() => {
    wanted.current = figures ?? [];
  }, [figures]);
  const known = figures !== undefined ? quantities : undefined;
  useEffect(() => {
    if (known === undefined) return;
    const stop = new AbortController();
    const timer = setTimeout(() => void seed(wanted.current, known, stop.signal).then(() => redraw((n) => n + 1)), 400);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [known]);
}

interface FigureProps {
  figure: Figure;
  quantity: Quantity | undefined;
  at: number | undefined;
  large: boolean;
}

function FigureCell({ figure, quantity, at, large }: FigureProps) {
  const now = useNow(5000);
  const times = useTimes();
  const words = wordsOf(figure, quantity);
  const value = words(figure.value);
  const points = trendOf(trendKey(figure));
  return (
    <Aged as="li" at={at} limitMs={OLD_AFTER_MS} className={large ? 'figure large' : 'figure'}>
      <p className="figure-title">{figure.title}</p>
      <p className="figure-value">
        <span className="number">{value.number}</span>
        {value.unit !== '' && <span className="unit">{value.unit}</span>}
      </p>
      <p className="figure-of">
        {madeOf(figure.agg, quantity)} {whole(figure.sensors)}
        <span className={large ? '' : 'hidden-text'}> {figure.sensors === 1 ? 'sensor' : 'sensors'}</span>
      </p>
      <Sparkline points={points} now={now} spanMs={TREND_MS} />
      {large && <p className="figure-range">{hourOf(points, now, words, (ms) => times.clock(ms))}</p>}
    </Aged>
  );
}

/** Between what the last hour's line runs: it has no axis, so the words are its scale. */
function hourOf(points: readonly Point[], now: number, show: (v: number) => Shown, clock: (ms: number) => string): string {
  const shownPoints = points.filter(([t]) => t >= now - TREND_MS);
  const first = shownPoints[0]?.[0] ?? now;
  const values = shownPoints.map(([, v]) => v);
  if (values.length < 2 || now - first < TOO_SHORT_MS) return '';
  const since = now - first > TREND_MS * 0.9 ? 'last hour' : `since ${clock(first)}:`;
  const [low, high] = [show(Math.min(...values)), show(Math.max(...values))];
  return `${since} ${low.number}${low.unit === high.unit ? '' : ` ${low.unit}`} to ${high.number}${high.unit === '' ? '' : ` ${high.unit}`}`;
}

interface DomainFiguresProps {
  domain: Domain;
  /** All figures of the domain; on the wall only the first few have room. */
  all: boolean;
  figures: Figure[];
  quantities: ReadonlyMap<string, Quantity>;
  at: number | undefined;
}

function DomainFigures({ domain, all, figures, quantities, at }: DomainFiguresProps) {
  return (
    <section className="domain" aria-labelledby={`domain-${domain}`}>
      <h3 id={`domain-${domain}`}>
        <DomainIcon domain={domain} />
        {DOMAIN_TITLE[domain]}
      </h3>
      {figures.length === 0 ? (
        <p className="quiet">No sensor of this domain reports now.</p>
      ) : (
        <ul className="figure-list">
          {figures.slice(0, all ? figures.length : WALL_FIGURES).map((f, i) => (
            <FigureCell key={trendKey(f)} figure={f} quantity={quantities.get(f.quantity)} at={at} large={all || i === 0} />
          ))}
        </ul>
      )}
    </section>
  );
}

interface FiguresProps {
  kept: FiguresKept;
  quantities: List<Quantity> | undefined;
  only: Domain | undefined;
}

export function Figures({ kept, quantities, only }: FiguresProps) {
  const items = quantities?.items;
  const byName = useMemo(() => (items === undefined ? undefined : new Map(items.map((q) => [q.name, q]))), [items]);
  useTrends(kept, byName);
  return (
    <section className="figures" aria-labelledby="figures-title" tabIndex={0}>
      <h2 id="figures-title" className="hidden-text">
        Figures now
      </h2>
      <Answer kept={kept} what="the figures" lines={8}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No figures yet">
              <p>They appear with the first readings. Let a sensor publish to city/&lt;sensor&gt;/readings, or start Lamppost with a demonstration city: lamppost up --demo 120.</p>
            </Empty>
          ) : (
            DOMAINS.filter((d) => only === undefined || d === only).map((d) => <DomainFigures key={d} domain={d} all={only !== undefined} figures={items.filter((f) => f.domain === d && f.sensors > 0)} quantities={byName ?? NO_QUANTITIES} at={kept.at} />)
          )
        }
      </Answer>
    </section>
  );
}
