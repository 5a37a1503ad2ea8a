// Whether this page hears from Lamppost. Every stream and every repeated request reports here; the header shows the
// sum, and numbers fade while it is not live.
import { useSyncExternalStore } from 'react';

export type Phase = 'connecting' | 'live' | 'reconnecting';

export interface LinkState {
  phase: Phase;
  /** When the phase began, Unix milliseconds. */
  since: number;
}

interface Source {
  ok: boolean | undefined;
  since: number;
}

const sources = new Map<string, Source>();
const watchers = new Set<() => void>();
let state: LinkState = { phase: 'connecting', since: Date.now() };
let everLive = false;

function settle(): void {
  const failing = [...sources.values()].filter((s) => s.ok === false);
  let phase: Phase = 'connecting';
  let since = state.since;
  if (failing.length > 0) {
    phase = everLive ? 'reconnecting' : 'connecting';
    since = Math.min(...failing.map((s) => s.since));
  } else if ([...sources.values()].some((s) => s.ok === true) || everLive) {
    phase = 'live';
    everLive = true;
  }
  if (phase === state.phase && (phase !== 'reconnecting' || since === state.since)) return;
  state = { phase, since: phase === 'reconnecting' ? since : Date.now() };
  for (const w of watchers) w();
}

/** Says that a source hears from Lamppost or no longer does. */
export function report(name: string, ok: boolean): void {
  const known = sources.get(name);
  if (known?.ok === ok) return;
  sources.set(name, { ok, since: Date.now() });
  settle();
}

/** Forgets a source that nobody uses any more. */
export function retire(name: string): void {
  if (sources.delete(name)) settle();
}

function watch(changed: () => void): () => void {
  watchers.add(changed);
  return () => watchers.delete(changed);
}

/** Whether this page hears from Lamppost. */
export const useLink = (): LinkState => useSyncExternalStore(watch, () => state);
