// The account of every reading: two sums that must close, checked before your eyes, and where the refused ones went.
import { useState } from 'react';
import { Link } from '../app/router.tsx';
import { asFault, type Fault, get, query } from '../api/client.ts';
import { useResource } from '../api/resource.ts';
import type { Audit, Sums } from '../api/types.ts';
import { CheckIcon, CrossIcon } from '../parts/Icons.tsx';
import { Answer, Empty } from '../parts/Says.tsx';
import { completeness } from '../sensor/Completeness.tsx';
import { count, share, whole } from '../words/numbers.ts';
import { reasonOf } from '../words/reasons.ts';
import { useTimes } from '../words/times.ts';

interface Term {
  title: string;
  value: number;
}

/** Does whole = a + b + ... close? Gives the difference. */
export const difference = (sum: Term, terms: readonly Term[]) => sum.value - terms.reduce((total, t) => total + t.value, 0);

export const rejectedTotal = (sums: Pick<Sums, 'rejected'>) => Object.values(sums.rejected).reduce((a, b) => a + b, 0);

function Equation({ sum, terms }: { sum: Term; terms: readonly Term[] }) {
  const off = difference(sum, terms);
  return (
    <div className={off === 0 ? 'equation' : 'equation open'}>
      <dl className="equation-terms">
        <div>
          <dt>{sum.title}</dt>
          <dd>{whole(sum.value)}</dd>
        </div>
        {terms.map((t, i) => (
          <div key={t.title} data-sign={i === 0 ? '=' : '+'}>
            <dt>{t.title}</dt>
            <dd>{whole(t.value)}</dd>
          </div>
        ))}
      </dl>
      <p className="equation-check">
        {off === 0 ? <CheckIcon /> : <CrossIcon />}
        {off === 0 ? 'closes' : `off by ${whole(Math.abs(off))}: compare ledger and store below`}
      </p>
    </div>
  );
}

function Rejected({ sums }: { sums: Sums }) {
  const rows = Object.entries(sums.rejected)
    .filter(([, n]) => n > 0)
    .sort((a, b) => b[1] - a[1]);
  const most = rows[0]?.[1] ?? 1;
  return (
    <div className="rejected">
      <h3>Refused, by reason</h3>
      {rows.length === 0 ? (
        <Empty title="Nothing was refused">
          <p>Every reading passed the checks. Nothing is to be done here.</p>
        </Empty>
      ) : (
        <ul>
          {rows.map(([reason, n]) => (
            <li key={reason}>
              <Link to={`/pipeline?reason=${reason}`}>{reasonOf(reason).title}</Link>
              <span className="bar" aria-hidden="true">
                <span style={{ inlineSize: `${Math.max(1.5, (100 * n) / most)}%` }} />
              </span>
              <span className="bar-value">{whole(n)}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

type Comparing = { phase: 'idle' } | { phase: 'busy'; stop: AbortController } | { phase: 'done'; audit: Audit } | { phase: 'failed'; fault: Fault };

/** Counts the rows in the store against the ledger: it can take long, so it is asked for, and can be stopped. */
function Compare() {
  const [state, setState] = useState<Comparing>({ phase: 'idle' });
  const times = useTimes();
  const run = async (): Promise<void> => {
    const stop = new AbortController();
    setState({ phase: 'busy', stop });
    try {
      const from = new Date(Date.now() - 86_400_000).toISOString();
      setState({ phase: 'done', audit: await get<Audit>(query('audit', { from }), stop.signal) });
    } catch (error) {
      setState(stop.signal.aborted ? { phase: 'idle' } : { phase: 'failed', fault: asFault(error) });
    }
  };
  return (
    <div className="compare">
      <h3>Ledger and store</h3>
      <p className="quiet">Counts the last 24 hours&rsquo; rows in the store, sensor by sensor, against the ledger.</p>
      {state.phase === 'busy' ? (
        <p className="compare-busy">
          <progress aria-label="Comparing ledger and store" />
          <button type="button" className="button" onClick={() => state.stop.abort()}>
            Stop
          </button>
        </p>
      ) : (
        <button type="button" className="button" onClick={() => void run()}>
          Compare now
        </button>
      )}
      <div role="status">
        {state.phase === 'failed' && (
          <p>
            {state.fault.title}. {state.fault.todo}
          </p>
        )}
        {state.phase === 'done' && (
          <p className={state.audit.clean ? 'verdict' : 'verdict wrong'}>
            {state.audit.clean ? <CheckIcon /> : <CrossIcon />}
            {state.audit.clean
              ? `They agree: ${count(state.audit.readings, 'reading')} from ${times.dateTime(Date.parse(state.audit.from))}${state.audit.waiting > 0 ? `, ${whole(state.audit.waiting)} still on their way` : ''}.`
              : `They differ at ${count(state.audit.differences.length, 'place')}. Run lamppost audit for the whole table.`}
          </p>
        )}
      </div>
      {state.phase === 'done' && state.audit.differences.length > 0 && (
        <div className="table-scroll" tabIndex={0} role="region" aria-label="Differences">
          <table>
            <thead>
              <tr>
                <th scope="col">Sensor</th>
                <th scope="col">Minute</th>
                <th scope="col">Ledger</th>
                <th scope="col">Store</th>
              </tr>
            </thead>
            <tbody>
              {state.audit.differences.slice(0, 100).map((d) => (
                <tr key={`${d.sensor}${d.time}`}>
                  <th scope="row">{d.sensor}</th>
                  <td>{times.dateTime(Date.parse(d.time))}</td>
                  <td>{whole(d.ledger)}</td>
                  <td>{whole(d.store)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}

const SPANS = [
  { id: 'hour', title: 'Last hour', ms: 3_600_000 },
  { id: 'day', title: '24 hours', ms: 86_400_000 },
  { id: 'all', title: 'All', ms: 0 },
] as const;

/** What no sum that must close tells. */
function Also({ sums }: { sums: Sums }) {
  const complete = completeness(sums);
  return (
    <p className="ledger-also">
      {count(sums.missing, 'report')} missing{complete !== undefined && <> ({share(complete)} of those expected came)</>}, {count(sums.late, 'reading')} came late, {whole(sums.stamped)} stamped on receipt.
    </p>
  );
}

export function Ledger() {
  const [spanId, setSpan] = useState<(typeof SPANS)[number]['id']>('day');
  const [now] = useState(() => Date.now());
  const ms = SPANS.find((s) => s.id === spanId)?.ms ?? 0;
  // The ledger is kept by minute: a whole minute as the beginning keeps the sums whole.
  const from = ms === 0 ? undefined : new Date(Math.floor((now - ms) / 60_000) * 60_000).toISOString();
  const kept = useResource<Sums>(query('ledger', { from }), 5000);
  return (
    <section className="ledger" aria-labelledby="ledger-title">
      <div className="section-head">
        <h2 id="ledger-title">Ledger</h2>
        <fieldset className="filter">
          <legend className="hidden-text">Sums over</legend>
          {SPANS.map((s) => (
            <label key={s.id} className="filter-choice">
              <input type="radio" name="ledger-span" checked={s.id === spanId} onChange={() => setSpan(s.id)} />
              <span>{s.title}</span>
            </label>
          ))}
        </fieldset>
      </div>
      <Answer kept={kept} what="the ledger" lines={4}>
        {(l) => (
          <>
            <Equation
              sum={{ title: 'Received', value: l.received }}
              terms={[
                { title: 'duplicate', value: l.duplicate },
                { title: 'refused', value: rejectedTotal(l) },
                { title: 'accepted', value: l.accepted },
              ]}
            />
            <Equation
              sum={{ title: 'Accepted', value: l.accepted }}
              terms={[
                { title: 'written', value: l.written },
                { title: 'waiting', value: l.waiting },
              ]}
            />
            <Also sums={l} />
            <div className="ledger-more">
              <Rejected sums={l} />
              <Compare />
            </div>
          </>
        )}
      </Answer>
    </section>
  );
}
