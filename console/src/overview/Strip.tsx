// The pipeline in one line: what comes in, what is written, what waits, and whether every part is ready.
import { useEffect, type ReactNode } from 'react';
import { Link } from '../app/router.tsx';
import type { Kept } from '../api/resource.ts';
import type { Pipeline } from '../api/types.ts';
import { Sparkline } from '../chart/Sparkline.tsx';
import { Aged } from '../parts/Aged.tsx';
import { ArrowIcon, CheckIcon, CrossIcon } from '../parts/Icons.tsx';
import { Meter } from '../parts/Meter.tsx';
import { Answer } from '../parts/Says.tsx';
import { isBehind, isHeldUp } from '../pipeline/waiting.ts';
import { bytes, count, delay, perSecond, whole } from '../words/numbers.ts';
import { span, useNow } from '../words/times.ts';
import { grow, trendOf } from './trends.ts';

const OLD_AFTER_MS = 12_000;
const RATE = 'pipeline/received';
const RATE_SPAN_MS = 600_000;

interface CellProps {
  title: string;
  number: string;
  unit?: string;
  /** Something is wrong with it: shown by a mark and a word, not by colour alone. */
  bad?: string | undefined;
  children?: ReactNode;
}

function Cell({ title, number, unit, bad, children }: CellProps) {
  return (
    <div className={bad === undefined ? 'strip-cell' : 'strip-cell bad'}>
      <dt>{title}</dt>
      <dd>
        <span className="number">{number}</span>
        {unit !== undefined && <span className="unit">{unit}</span>}
        {bad !== undefined && <span className="strip-bad">{bad}</span>}
      </dd>
      {children !== undefined && <dd className="strip-more">{children}</dd>}
    </div>
  );
}

function Cells({ p }: { p: Pipeline }) {
  const now = useNow(5000);
  const received = perSecond(p.received_per_s);
  const written = perSecond(p.written_per_s);
  const slow = delay(p.delay_ms.p99);
  const ready = p.parts.filter((part) => part.ready).length;
  const down = p.parts.find((part) => !part.ready);
  const fill = p.spool.max_bytes > 0 ? p.spool.bytes / p.spool.max_bytes : 0;
  return (
    <dl className="strip-cells">
      <Cell title="Readings in" number={received.number} unit={received.unit}>
        <Sparkline points={trendOf(RATE)} now={now} spanMs={RATE_SPAN_MS} />
      </Cell>
      <Cell title="Written" number={written.number} unit={written.unit}>
        99 of 100 within {slow.number} {slow.unit}
      </Cell>
      <Cell title="Waiting" number={whole(p.waiting)} bad={isBehind(p) ? 'behind' : undefined}>
        {isHeldUp(p) ? `oldest ${span(p.spool.oldest_s * 1000)}` : 'nothing is held up'}
      </Cell>
      <Cell title="Quarantined" number={whole(p.quarantined)}>
        {p.quarantined === 0 ? 'nothing was refused' : 'kept with their reasons'}
      </Cell>
      <Cell title="Spool" number={bytes(p.spool.bytes)} bad={p.spool.full ? 'full' : undefined}>
        <Meter value={fill} label="Spool filled" /> of {bytes(p.spool.max_bytes)}
      </Cell>
      <Cell title="Parts" number={`${ready} of ${p.parts.length}`} bad={down === undefined ? undefined : `${down.name} not ready`}>
        <span className="strip-parts">
          {p.parts.map((part) => (
            <span key={part.name} className={part.ready ? 'part-dot' : 'part-dot down'} title={`${part.name}: ${part.ready ? 'ready' : part.message}`}>
              {part.ready ? <CheckIcon /> : <CrossIcon />}
            </span>
          ))}
          <span className="hidden-text">{down === undefined ? 'every part is ready' : count(p.parts.length - ready, 'part is', 'parts are') + ' not ready'}</span>
        </span>
      </Cell>
    </dl>
  );
}

export function Strip({ kept }: { kept: Kept<Pipeline> & { reload: () => void } }) {
  const rate = kept.data?.received_per_s;
  useEffect(() => {
    if (rate !== undefined && kept.at !== undefined) grow(RATE, kept.at, rate);
  }, [rate, kept.at]);
  return (
    <Aged as="section" at={kept.at} limitMs={OLD_AFTER_MS} className="strip">
      <h2>
        <Link to="/pipeline">
          Pipeline <ArrowIcon />
        </Link>
      </h2>
      <Answer kept={kept} what="the pipeline" lines={1}>
        {(p) => <Cells p={p} />}
      </Answer>
    </Aged>
  );
}
