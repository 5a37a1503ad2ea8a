// What was refused and kept: by reason, page by page, and sent through ingest again after the cause is mended.
import { useState } from 'react';
import { gaveUp, useSession } from '../app/session.tsx';
import { useSearch } from '../app/router.tsx';
import { asFault, type Fault, post, query } from '../api/client.ts';
import { useResource } from '../api/resource.ts';
import type { List, Quarantined, Replayed } from '../api/types.ts';
import { Answer, Empty } from '../parts/Says.tsx';
import { count, whole } from '../words/numbers.ts';
import { REASON_NAMES, reasonOf } from '../words/reasons.ts';
import { QuarantineRow } from './QuarantineRow.tsx';

const LIMIT = 25;

type Replaying = { phase: 'idle' } | { phase: 'busy'; stop: AbortController } | { phase: 'done'; result: Replayed } | { phase: 'failed'; fault: Fault };

interface ReplayProps {
  reason: string;
  chosen: ReadonlySet<number>;
  total: number;
  done: () => void;
}

function Replay({ reason, chosen, total, done }: ReplayProps) {
  const { act } = useSession();
  const [state, setState] = useState<Replaying>({ phase: 'idle' });
  const what = chosen.size > 0 ? `${whole(chosen.size)} chosen` : reason === '' ? `all ${whole(total)}` : `${whole(total)} of this reason`;
  const run = async (): Promise<void> => {
    const stop = new AbortController();
    setState({ phase: 'busy', stop });
    const body = chosen.size > 0 ? { ids: [...chosen] } : reason === '' ? {} : { reason };
    try {
      setState({ phase: 'done', result: await act('replay', () => post<Replayed>('quarantine/replay', body, stop.signal)) });
      done();
    } catch (error) {
      setState(gaveUp(error) || stop.signal.aborted ? { phase: 'idle' } : { phase: 'failed', fault: asFault(error) });
    }
  };
  return (
    <div className="replay">
      {state.phase === 'busy' ? (
        <>
          <progress aria-label="Replaying" />
          <button type="button" className="button" onClick={() => state.stop.abort()}>
            Stop waiting
          </button>
        </>
      ) : (
        <button type="button" className="button primary" disabled={total === 0} onClick={() => void run()}>
          {total === 0 ? 'Replay' : `Replay ${what}`}
        </button>
      )}
      <p role="status" className="replay-said">
        {state.phase === 'busy' && 'Sending them through ingest again.'}
        {state.phase === 'done' && `${count(state.result.replayed, 'message')} accepted now, ${whole(state.result.still_refused)} still refused.${state.result.still_refused > 0 ? ' Mend the cause first, then replay.' : ''}`}
        {state.phase === 'failed' && `${state.fault.title}. ${state.fault.todo}`}
      </p>
    </div>
  );
}

interface MessagesProps {
  items: readonly Quarantined[];
  chosen: ReadonlySet<number>;
  choose: (id: number) => void;
}

function Messages({ items, chosen, choose }: MessagesProps) {
  return (
    <ul className="quarantine-list">
      {items.map((item) => (
        <QuarantineRow key={item.id} item={item}>
          <label className="choose">
            <input type="checkbox" checked={chosen.has(item.id)} onChange={() => choose(item.id)} />
            <span className="hidden-text">
              Choose message {item.id}, {reasonOf(item.reason).title}
            </span>
          </label>
        </QuarantineRow>
      ))}
    </ul>
  );
}

interface OlderProps {
  items: readonly Quarantined[];
  total: number;
  /** The ids that this page and those before it began before. */
  before: readonly number[];
  go: (before: number[]) => void;
}

function Older({ items, total, before, go }: OlderProps) {
  const last = items.at(-1);
  const passed = before.length * LIMIT;
  if (total <= LIMIT || last === undefined) return null;
  return (
    <nav className="pager" aria-label="Pages of the quarantine">
      <button type="button" className="button" disabled={before.length === 0} onClick={() => go(before.slice(0, -1))}>
        Newer
      </button>
      <p>
        {whole(passed + 1)} to {whole(passed + items.length)} of {whole(total)}
      </p>
      <button type="button" className="button" disabled={passed + items.length >= total} onClick={() => go([...before, last.id])}>
        Older
      </button>
    </nav>
  );
}

export function Quarantine({ rejected }: { rejected: Record<string, number> | undefined }) {
  const [search, change] = useSearch();
  const reason = search.get('reason') ?? '';
  // The ids that the pages before this one began before: newest page first.
  const [before, setBefore] = useState<number[]>([]);
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const kept = useResource<List<Quarantined>>(query('quarantine', { reason, limit: LIMIT, before: before.at(-1) }), 10_000);
  const reasons = [...new Set([...Object.keys(rejected ?? {}), ...(reason === '' ? [] : [reason]), ...REASON_NAMES])];
  const choose = (id: number): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const filter = (value: string): void => {
    setBefore([]);
    setChosen(new Set());
    change({ reason: value });
  };
  const total = kept.data?.total ?? 0;
  return (
    <section className="quarantine" aria-labelledby="quarantine-title">
      <div className="section-head">
        <h2 id="quarantine-title">
          Quarantine
          {kept.data !== undefined && <span className="tally calm">{whole(total)}</span>}
        </h2>
        <label className="select">
          <span className="label">Reason</span>
          <select value={reason} onChange={(e) => filter(e.target.value)}>
            <option value="">Every reason</option>
            {reasons.map((r) => (
              <option key={r} value={r}>
                {reasonOf(r).title}
              </option>
            ))}
          </select>
        </label>
        <Replay
          reason={reason}
          chosen={chosen}
          total={total}
          done={() => {
            setChosen(new Set());
            kept.reload();
          }}
        />
      </div>
      {reason !== '' && <p className="quarantine-todo">{reasonOf(reason).todo}</p>}
      <Answer kept={kept} what="the quarantine" lines={5}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={reason === '' ? 'Quarantine is empty' : 'Nothing is held for this reason'}>
              <p>{reason === '' ? 'Every reading was accepted, or was replayed since. Nothing is to be done here.' : 'Choose another reason above.'}</p>
            </Empty>
          ) : (
            <>
              <Messages items={items} chosen={chosen} choose={choose} />
              <Older items={items} total={total} before={before} go={setBefore} />
            </>
          )
        }
      </Answer>
    </section>
  );
}
