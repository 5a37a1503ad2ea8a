// Answers of the API, kept by path and asked for again while somebody looks. Two parts of the page that need the same
// answer share one request. What was last heard stays when a request fails, with the time at which it was heard.
import { useCallback, useSyncExternalStore } from 'react';
import { asFault, type Fault, get } from './client.ts';
import { shutDoor } from './door.ts';
import { report, retire } from './link.ts';

export interface Kept<T> {
  data: T | undefined;
  /** When the data was heard, Unix milliseconds; undefined as long as there is none. */
  at: number | undefined;
  fault: Fault | undefined;
}

interface Entry {
  kept: Kept<unknown>;
  watchers: Map<() => void, number>;
  timer: ReturnType<typeof setTimeout> | undefined;
  stop: AbortController | undefined;
  failures: number;
}

const NOTHING: Kept<never> = { data: undefined, at: undefined, fault: undefined };
const KEEP_UNWATCHED = 24;
const LONGEST_PAUSE_MS = 20_000;
const entries = new Map<string, Entry>();

function entryOf(path: string): Entry {
  let entry = entries.get(path);
  if (entry === undefined) {
    entry = { kept: NOTHING, watchers: new Map(), timer: undefined, stop: undefined, failures: 0 };
    entries.set(path, entry);
    forget();
  }
  return entry;
}

/** Keeps the cache bounded: the oldest answers that nobody looks at go first. */
function forget(): void {
  const unwatched = [...entries].filter(([, e]) => e.watchers.size === 0);
  for (const [path] of unwatched.slice(0, Math.max(0, unwatched.length - KEEP_UNWATCHED))) entries.delete(path);
}

function change(entry: Entry, kept: Kept<unknown>): void {
  entry.kept = kept;
  for (const changed of entry.watchers.keys()) changed();
}

async function load(path: string, entry: Entry): Promise<void> {
  clearTimeout(entry.timer);
  entry.stop?.abort();
  const stop = new AbortController();
  entry.stop = stop;
  try {
    const data = await get<unknown>(path, stop.signal);
    entry.failures = 0;
    if (entry.watchers.size > 0) report(path, true);
    change(entry, { data, at: Date.now(), fault: undefined });
  } catch (error) {
    if (stop.signal.aborted) return;
    const fault = asFault(error);
    if (fault.status === 401) shutDoor();
    entry.failures++;
    // An answer, even a bad one, shows that Lamppost is there.
    if (entry.watchers.size > 0) report(path, fault.status !== 0);
    change(entry, { ...entry.kept, fault });
  }
  entry.stop = undefined;
  plan(path, entry);
}

function plan(path: string, entry: Entry): void {
  clearTimeout(entry.timer);
  const wanted = [...entry.watchers.values()].filter((ms) => ms > 0);
  const fault = entry.kept.fault;
  let pause = wanted.length > 0 ? Math.min(...wanted) : 0;
  if (fault !== undefined && (fault.status === 0 || fault.status >= 500 || fault.status === 429)) {
    pause = Math.min(LONGEST_PAUSE_MS, Math.max(1000 * 2 ** Math.min(entry.failures, 5), 1000)) * (0.75 + Math.random() / 2);
  }
  if (entry.watchers.size === 0 || pause === 0 || document.hidden) return;
  entry.timer = setTimeout(() => void load(path, entry), pause);
}

function watch(path: string, everyMs: number, changed: () => void): () => void {
  const entry = entryOf(path);
  entry.watchers.set(changed, everyMs);
  const age = entry.kept.at === undefined ? Infinity : Date.now() - entry.kept.at;
  if (entry.stop === undefined && age > Math.min(everyMs || Infinity, 60_000) / 2) void load(path, entry);
  else if (entry.stop === undefined) plan(path, entry);
  return () => {
    entry.watchers.delete(changed);
    if (entry.watchers.size > 0) return;
    clearTimeout(entry.timer);
    entry.stop?.abort();
    entry.stop = undefined;
    retire(path);
    forget();
  };
}

/** Asks again for everything that is on the screen: after signing in, or when the page or the network comes back. */
export function reloadAll(): void {
  for (const [path, entry] of entries) if (entry.watchers.size > 0) void load(path, entry);
}

if (typeof document !== 'undefined') {
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) reloadAll();
  });
  window.addEventListener('online', reloadAll);
}

/**
 * The answer to GET path, asked for again every everyMs (0: once). A path of undefined asks for nothing.
 * The answer stays while a later request fails; fault tells of the last one.
 */
export function useResource<T>(path: string | undefined, everyMs = 0): Kept<T> & { reload: () => void } {
  const subscribe = useCallback((changed: () => void) => (path === undefined ? () => undefined : watch(path, everyMs, changed)), [path, everyMs]);
  const kept = useSyncExternalStore(subscribe, () => (path === undefined ? NOTHING : (entries.get(path)?.kept ?? NOTHING)));
  const reload = useCallback(() => {
    if (path !== undefined) void load(path, entryOf(path));
  }, [path]);
  return { ...(kept as Kept<T>), reload };
}
