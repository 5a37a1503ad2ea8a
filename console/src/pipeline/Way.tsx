// The way of a reading, drawn: sensor, broker, ingest, spool, store, with what passes each now.
import type { CSSProperties, ReactNode } from 'react';
import type { Part, Pipeline } from '../api/types.ts';
import { CheckIcon, CrossIcon } from '../parts/Icons.tsx';
import { Meter } from '../parts/Meter.tsx';
import { bytes, delay, perSecond, share, whole } from '../words/numbers.ts';
import { span } from '../words/times.ts';
import { isHeldUp } from './waiting.ts';

interface HopProps {
  name: string;
  does: string;
  part: Part | undefined;
  number: string;
  unit?: string;
  what: string;
  trouble?: string | undefined;
  children?: ReactNode;
}

function Hop({ name, does, part, number, unit, what, trouble, children }: HopProps) {
  const wrong = trouble ?? (part !== undefined && !part.ready ? part.message || 'not ready' : undefined);
  return (
    <li className={wrong === undefined ? 'hop' : 'hop wrong'}>
      <div className="hop-head">
        <h3>{name}</h3>
        {(part !== undefined || wrong !== undefined) && (
          <span className="hop-ready">
            {wrong === undefined ? <CheckIcon /> : <CrossIcon />}
            {wrong === undefined ? 'ready' : 'not well'}
          </span>
        )}
      </div>
      <p className="hop-value">
        <span className="number">{number}</span>
        {unit !== undefined && <span className="unit">{unit}</span>}
      </p>
      <p className="hop-what">{what}</p>
      {children}
      <p className="hop-does quiet">{does}</p>
      {wrong !== undefined && <p className="hop-wrong">{wrong}</p>}
    </li>
  );
}

/** The arrow between two hops; it moves while something passes, faster the more. */
function Flow({ rate }: { rate: number }) {
  const seconds = rate <= 0 ? 0 : Math.min(6, Math.max(0.8, 6 / Math.log10(rate + 10)));
  return (
    <li className={rate > 0 ? 'flow' : 'flow still'} aria-hidden="true" style={{ '--flow-s': `${seconds.toFixed(1)}s` } as CSSProperties}>
      <span className="flow-line" />
    </li>
  );
}

const partOf = (parts: readonly Part[], name: string) => parts.find((p) => p.name === name) ?? parts.find((p) => p.name.includes(name));

export function Way({ p, sensors, silent }: { p: Pipeline; sensors: number | undefined; silent: number | undefined }) {
  const received = perSecond(p.received_per_s);
  const written = perSecond(p.written_per_s);
  const p50 = delay(p.delay_ms.p50);
  const p99 = delay(p.delay_ms.p99);
  const fill = p.spool.max_bytes > 0 ? p.spool.bytes / p.spool.max_bytes : 0;
  return (
    <ol className="way">
      <Hop name="Sensors" part={undefined} number={sensors === undefined ? '' : whole(sensors - (silent ?? 0))} what={sensors === undefined ? 'reporting' : `of ${whole(sensors)} reporting`} does="measure, and publish through MQTT" />
      <Flow rate={p.received_per_s} />
      <Hop name="Broker" part={partOf(p.parts, 'broker')} number={received.number} unit={received.unit} what="readings handed on" does="keeps every message until ingest has it on disk" />
      <Flow rate={p.received_per_s} />
      <Hop name="Ingest" part={partOf(p.parts, 'ingest')} number={whole(p.rejected_total)} what="readings refused since the start" does="decodes, resolves and checks; what it refuses goes to quarantine" />
      <Flow rate={p.received_per_s} />
      <Hop
        name="Spool"
        part={partOf(p.parts, 'spool')}
        number={whole(p.waiting)}
        what={isHeldUp(p) ? `readings waiting, the oldest ${span(p.spool.oldest_s * 1000)}` : 'readings waiting'}
        does="holds on disk what the store has not taken yet"
        trouble={p.spool.full ? 'Full: make room on its disk. Until then nothing new is acknowledged.' : undefined}
      >
        <p className="hop-meter">
          <Meter value={fill} label="Spool filled" />
          <span>
            {bytes(p.spool.bytes)} of {bytes(p.spool.max_bytes)} ({share(fill)})
          </span>
        </p>
      </Hop>
      <Flow rate={p.written_per_s} />
      <Hop name="Store" part={partOf(p.parts, 'store')} number={written.number} unit={written.unit} what="readings written" does={`half are there within ${p50.number} ${p50.unit}, 99 of 100 within ${p99.number} ${p99.unit}`} />
    </ol>
  );
}

/** The parts that are no hop of the way: all that have no place in the drawing. */
export function OtherParts({ parts }: { parts: readonly Part[] }) {
  const drawn = new Set(['broker', 'ingest', 'spool', 'store'].map((n) => partOf(parts, n)));
  const others = parts.filter((p) => !drawn.has(p));
  if (others.length === 0) return null;
  return (
    <ul className="other-parts" aria-label="Other parts">
      {others.map((p) => (
        <li key={p.name} className={p.ready ? '' : 'wrong'}>
          {p.ready ? <CheckIcon /> : <CrossIcon />}
          <strong>{p.name}</strong> {p.ready ? 'ready' : p.message || 'not ready'}
        </li>
      ))}
    </ul>
  );
}
