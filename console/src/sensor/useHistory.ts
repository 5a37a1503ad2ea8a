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
  const missed = useRef<Reading[]>([]);

  useEffect(() => {
    const stop = new AbortController();
    const ask = async (): Promise<void> => {
      missed.current = [];
      try {
        const from = new Date(Date.now() - range.spanMs).toISOString();
        const history = await get<History>(query('history', { sensor, quantity, from, step: stepText(range.stepMs), agg: range.stepMs === 0 ? undefined : way }), stop.signal);
        const growing = new Growing(history.series.filter((s) => s.quantity === quantity), range.stepMs, way, range.spanMs);
        // What came in while history was on its way.
        for (const r of missed.current) growing.add(r);
        setTold({ grown: { growing, truncated: history.truncated, range, version: 0 }, fault: undefined });
      } catch (error) {
        if (!stop.signal.aborted) setTold((t) => ({ ...t, fault: asFault(error) }));
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
    missed.current.push(...readings);
    setTold((t) => {
      if (t.grown === undefined) return t;
      let changed = false;
      for (const r of readings) changed = t.grown.growing.add(r) || changed;
      return changed ? { ...t, grown: { ...t.grown, version: t.grown.version + 1 } } : t;
    });
  }, []);
  const reload = useCallback(() => setAsked((n) => n + 1), []);
  return { ...told, add, reload };
}
