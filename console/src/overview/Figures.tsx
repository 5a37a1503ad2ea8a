// The live figures of the city, by domain: one large, the others beside it, each with its last hour.
import { useEffect, useState } from 'react';
import type { Kept } from '../api/resource.ts';
import type { Domain, Figure, List, Quantity } from '../api/types.ts';
import { DOMAINS } from '../api/types.ts';
import { Sparkline } from '../chart/Sparkline.tsx';
import { Aged } from '../parts/Aged.tsx';
import { DomainIcon } from '../parts/Icons.tsx';
import { Answer, Empty } from '../parts/Says.tsx';
import { AGG_TITLE, DOMAIN_TITLE } from '../words/names.ts';
import { count, isRatio, shown, withUnit } from '../words/numbers.ts';
import { useNow } from '../words/times.ts';
import { grow, seed, TREND_MS, trendKey, trendOf } from './trends.ts';

const OLD_AFTER_MS = 20_000;

type FiguresKept = Kept<{ items: Figure[] }> & { reload: () => void };

/** Feeds the trends with every answer, and fetches their past once the page has been shown. */
function useTrends(kept: FiguresKept): void {
  const [, redraw] = useState(0);
  const figures = kept.data?.items;
  useEffect(() => {
    if (figures === undefined || kept.at === undefined) return;
    for (const f of figures) grow(trendKey(f), kept.at, f.value);
  }, [figures, kept.at]);
  const known = figures !== undefined && figures.length > 0;
  useEffect(() => {
    if (!known || figures === undefined) return;
    const stop = new AbortController();
    const timer = setTimeout(() => void seed(figures, stop.signal).then(() => redraw((n) => n + 1)), 400);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
    // Once per opening of the page: later answers have the same figures.
    // eslint-disable-next-line react-hooks/exhaustive-deps
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
  const value = shown(figure.value, figure.unit, isRatio(quantity));
  return (
    <Aged as="li" at={at} limitMs={OLD_AFTER_MS} className={large ? 'figure large' : 'figure'}>
      <p className="figure-title">{figure.title}</p>
      <p className="figure-value">
        <span className="number">{value.number}</span>
        {value.unit !== '' && <span className="unit">{value.unit}</span>}
      </p>
      <p className="figure-of">
        {AGG_TITLE[figure.agg]} {count(figure.sensors, 'sensor')}
      </p>
      <Sparkline points={trendOf(trendKey(figure))} now={now} spanMs={TREND_MS} />
    </Aged>
  );
}

interface DomainFiguresProps {
  domain: Domain;
  figures: Figure[];
  quantities: Map<string, Quantity>;
  at: number | undefined;
}

function DomainFigures({ domain, figures, quantities, at }: DomainFiguresProps) {
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
          {figures.slice(0, 5).map((f, i) => (
            <FigureCell key={trendKey(f)} figure={f} quantity={quantities.get(f.quantity)} at={at} large={i === 0} />
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
  useTrends(kept);
  const byName = new Map((quantities?.items ?? []).map((q) => [q.name, q]));
  return (
    <section className="figures" aria-labelledby="figures-title">
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
            DOMAINS.filter((d) => only === undefined || d === only).map((d) => <DomainFigures key={d} domain={d} figures={items.filter((f) => f.domain === d)} quantities={byName} at={kept.at} />)
          )
        }
      </Answer>
    </section>
  );
}

/** A figure in one sentence, for screen readers. */
export const figureSentence = (f: Figure, q: Quantity | undefined) => `${f.title} ${withUnit(f.value, f.unit, isRatio(q))}, ${AGG_TITLE[f.agg]} ${count(f.sensors, 'sensor')}`;
