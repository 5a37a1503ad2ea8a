// The health of the whole way: the drawing with live numbers, the ledger, the bridges, the quarantine.
import { useEffect } from 'react';
import { useResource } from '../api/resource.ts';
import { query } from '../api/client.ts';
import type { List, Pipeline, Sensor, Sums } from '../api/types.ts';
import { Aged } from '../parts/Aged.tsx';
import { Answer } from '../parts/Says.tsx';
import { useSettled } from '../parts/useSettled.ts';
import { span, useNow, useTimes } from '../words/times.ts';
import { Bridges } from './Bridges.tsx';
import { Ledger } from './Ledger.tsx';
import { Quarantine } from './Quarantine.tsx';
import { OtherParts, Way } from './Way.tsx';
import './pipeline.css';

function verdict(p: Pipeline | undefined): string {
  if (p === undefined) return '';
  const down = p.parts.filter((part) => !part.ready).map((part) => part.name);
  if (p.spool.full) return 'The spool is full; nothing new is acknowledged';
  if (down.length > 0) return `${down.join(', ')} not ready; what comes is kept on disk`;
  return 'Every reading is on its way';
}

export function PipelinePage() {
  const pipeline = useResource<Pipeline>('pipeline', 2000);
  const all = useResource<List<Sensor>>(query('sensors', { limit: 1 }), 15_000);
  const silent = useResource<List<Sensor>>(query('sensors', { state: 'silent', limit: 1 }), 15_000);
  const never = useResource<List<Sensor>>(query('sensors', { state: 'never', limit: 1 }), 15_000);
  const ledger = useResource<Sums>('ledger', 30_000);
  const times = useTimes();
  const now = useNow(60_000);
  const said = useSettled(verdict(pipeline.data), 10_000);
  useEffect(() => {
    document.title = 'Pipeline · Lamppost';
  }, []);
  const missing = silent.data === undefined || never.data === undefined ? undefined : silent.data.total + never.data.total;
  return (
    <main id="main" className="sheet pipeline" tabIndex={-1}>
      <div className="page-head">
        <h1 tabIndex={-1}>{verdict(pipeline.data) || 'Pipeline'}</h1>
        {pipeline.data !== undefined && (
          <p className="quiet">
            Lamppost {pipeline.data.version}, running for {span(now - Date.parse(pipeline.data.started))}, since {times.dateTime(Date.parse(pipeline.data.started))}
          </p>
        )}
      </div>
      <p className="hidden-text" role="status">
        {said}
      </p>
      <section aria-labelledby="way-title">
        <h2 id="way-title" className="hidden-text">
          The way of a reading
        </h2>
        <Answer kept={pipeline} what="the pipeline" lines={5}>
          {(p) => (
            <Aged at={pipeline.at} limitMs={12_000}>
              <Way p={p} sensors={all.data?.total} silent={missing} />
              <OtherParts parts={p.parts} />
            </Aged>
          )}
        </Answer>
      </section>
      <Ledger />
      <Bridges />
      <Quarantine rejected={ledger.data?.rejected} />
    </main>
  );
}
