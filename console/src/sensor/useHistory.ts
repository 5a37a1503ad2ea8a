import { useCallback, useEffect, useRef, useState } from 'react';
import { asFault, type Fault, get, query } from '../api/client.ts';
import type { History, Reading } from '../api/types.ts';
import { Growing, type Way } from './growing.ts';
import { type Range, stepText } from './ranges.ts';

/** History is asked for again after this, or after a step where that is longer: to close the step that was open. */
const AGAIN_MS = 120_000;

export interface Grown {
  growing: Growing;
  truncated: boolean;
  range: Range;
  /** Counts the changes of growing. */
  version: number;
}

interface Told {
  grown: Grown | undefined;
  fault: Fault | undefined;
}

/**
 * The history of one quantity over a range, and what to call with live readings of it. What is shown stays until the
 * next answer is there.
 */
export function useHistory(sensor: string, quantity: string, range: Range, way: Way): Told & { add: (readings: Reading[]) => void; reload: () => void } {
  const [told, setTold] = useState<Told>({ grown: undefined, fault: undefined });
  const [asked, setAsked] = useState(0);
  // What is shown and grows; and, while an answer is awaited, what came meanwhile.
  const shown = useRef<Growing>(undefined);
  const meanwhile = useRef<Reading[]>(undefined);

  useEffect(() => {
    const stop = new AbortController();
    const ask = async (): Promise<void> => {
      const came: Reading[] = [];
      meanwhile.current = came;
      try {
        const from = new Date(Date.now() - range.spanMs).toISOString();
        const history = await get<History>(query('history', { sensor, quantity, from, step: stepText(range.stepMs), agg: range.stepMs === 0 ? undefined : way }), stop.signal);
        const growing = new Growing(history.series.filter((s) => s.quantity === quantity), range.stepMs, way, range.spanMs);
        for (const r of came) growing.add(r);
        if (meanwhile.current === came) meanwhile.current = undefined;
        shown.current = growing;
        setTold({ grown: { growing, truncated: history.truncated, range, version: 0 }, fault: undefined });
      } catch (error) {
        if (stop.signal.aborted) return;
        if (meanwhile.current === came) meanwhile.current = undefined;
        setTold((t) => ({ ...t, fault: asFault(error) }));
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), Math.max(AGAIN_MS, range.stepMs));
    return () => {
      clearInterval(timer);
      stop.abort();
    };
  }, [sensor, quantity, range, way, asked]);

  const add = useCallback((readings: Reading[]) => {
    meanwhile.current?.push(...readings);
    const growing = shown.current;
    if (growing === undefined) return;
    let changed = false;
    for (const r of readings) changed = growing.add(r) || changed;
    if (changed) setTold((t) => (t.grown?.growing === growing ? { ...t, grown: { ...t.grown, version: t.grown.version + 1 } } : t));
  }, []);
  const reload = useCallback(() => setAsked((n) => n + 1), []);
  return { ...told, add, reload };
}
