// Readings as they come, over server-sent events. Read with fetch and not with EventSource, because the line that the
// server sends when there is nothing to say is the only sign of life of a quiet city, and EventSource hides it.
import { useEffect, useRef, useState } from 'react';
import { address } from './client.ts';
import { shutDoor } from './door.ts';
import { report, retire } from './link.ts';
import type { Reading } from './types.ts';

/** The server says something every 15 s at most; twice that without a byte, and the stream is taken for dead. */
const DEAD_AFTER_MS = 32_000;
const LONGEST_PAUSE_MS = 15_000;
/** Readings are handed on in batches, so that a busy city does not redraw the page for each. */
const BATCH_MS = 250;
/** More than this in one batch is counted as lost: a page in the background must not grow without limit. */
const BATCH_MAX = 5000;
/** A page that nobody sees gives its stream back after this. */
const HIDDEN_AFTER_MS = 60_000;

export interface SSEvent {
  event: string;
  data: string;
}

/** Splits a text/event-stream that comes in pieces; gives the events that are complete. */
export function eventReader(): (piece: string) => SSEvent[] {
  let rest = '';
  let event = 'message';
  let data: string[] = [];
  const take = (line: string, out: SSEvent[]): void => {
    if (line === '') {
      if (data.length > 0) out.push({ event, data: data.join('\n') });
      event = 'message';
      data = [];
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line.startsWith(' ', colon + 1) ? colon + 2 : colon + 1);
    if (field === 'event') event = value;
    if (field === 'data') data.push(value);
  };
  return (piece) => {
    const out: SSEvent[] = [];
    rest += piece;
    // A carriage return at the very end may be half of a line break: it waits for the next piece.
    const end = rest.endsWith('\r') ? rest.length - 1 : rest.length;
    const lines = rest.slice(0, end).split(/\r\n|\n|\r/);
    rest = (lines.pop() ?? '') + rest.slice(end);
    for (const line of lines) take(line, out);
    return out;
  };
}

export type LivePhase = 'connecting' | 'live' | 'reconnecting' | 'signed_out';

export interface Stream {
  stop(): void;
}

interface Heard {
  readings: (batch: Reading[]) => void;
  phase: (phase: LivePhase) => void;
  /** Readings that the server or this page had to leave out. */
  lost: (readings: number) => void;
}

/** Opens a stream of GET path and keeps it open until stop is called. */
export function openLive(path: string, heard: Heard): Stream {
  const end = new AbortController();
  let batch: Reading[] = [];
  let dropped = 0;
  const flush = (): void => {
    if (batch.length > 0) heard.readings(batch);
    if (dropped > 0) heard.lost(dropped);
    batch = [];
    dropped = 0;
  };
  const timer = setInterval(flush, BATCH_MS);
  const take = ({ event, data }: SSEvent): void => {
    try {
      if (event === 'reading') {
        if (batch.length < BATCH_MAX) batch.push(JSON.parse(data) as Reading);
        else dropped++;
      }
      if (event === 'lost') dropped += (JSON.parse(data) as { readings: number }).readings;
    } catch {
      dropped++;
    }
  };
  void keepOpen(path, end.signal, take, heard.phase);
  return {
    stop: () => {
      clearInterval(timer);
      end.abort();
    },
  };
}

/** Connects, reads until the stream ends, waits, and connects again; ends with signal or when the session is over. */
async function keepOpen(path: string, signal: AbortSignal, take: (e: SSEvent) => void, phase: (p: LivePhase) => void): Promise<void> {
  let failures = 0;
  phase('connecting');
  while (!signal.aborted) {
    const outcome = await readOnce(path, signal, take, () => {
      failures = 0;
      phase('live');
    });
    if (outcome === 'stopped') return;
    if (outcome === 'signed_out') {
      phase('signed_out');
      return;
    }
    phase('reconnecting');
    const pause = Math.min(LONGEST_PAUSE_MS, 500 * 2 ** failures) * (0.75 + Math.random() / 2);
    failures++;
    await wait(pause, signal);
  }
}

async function readOnce(path: string, end: AbortSignal, take: (e: SSEvent) => void, opened: () => void): Promise<'ended' | 'signed_out' | 'stopped'> {
  const dead = new AbortController();
  const over = (): void => dead.abort();
  let watchdog = setTimeout(over, DEAD_AFTER_MS);
  end.addEventListener('abort', over);
  try {
    const response = await fetch(address(path), { headers: { Accept: 'text/event-stream' }, signal: dead.signal, cache: 'no-store' });
    if (response.status === 401) return 'signed_out';
    if (!response.ok || response.body === null) return 'ended';
    opened();
    const events = eventReader();
    const text = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await text.read();
      if (done) return 'ended';
      clearTimeout(watchdog);
      watchdog = setTimeout(over, DEAD_AFTER_MS);
      for (const event of events(value)) take(event);
    }
  } catch {
    return end.aborted ? 'stopped' : 'ended';
  } finally {
    clearTimeout(watchdog);
    end.removeEventListener('abort', over);
    dead.abort();
  }
}

/** Waits, but no longer than until the device has a network again, or somebody looks at the page again. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const seen = (): void => {
      if (!document.hidden) over();
    };
    const over = (): void => {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
      window.removeEventListener('online', over);
      signal.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    document.addEventListener('visibilitychange', seen);
    window.addEventListener('online', over);
    signal.addEventListener('abort', over);
  });
}

/**
 * Calls onReadings with batches of live readings of GET path while the component is shown and the page is visible.
 * Gives how many readings could not be shown since it opened.
 */
export function useLive(path: string | undefined, onReadings: (batch: Reading[]) => void): { lost: number } {
  const [lost, setLost] = useState(0);
  const latest = useRef(onReadings);
  useEffect(() => {
    latest.current = onReadings;
  });
  useEffect(() => {
    if (path === undefined) return;
    let stream: Stream | undefined;
    let hidden: ReturnType<typeof setTimeout> | undefined;
    const open = (): void => {
      stream ??= openLive(path, {
        readings: (batch) => latest.current(batch),
        lost: (n) => setLost((sum) => sum + n),
        phase: (phase) => {
          if (phase === 'live') report(path, true);
          else if (phase === 'reconnecting') report(path, false);
          else if (phase === 'signed_out') shutDoor();
        },
      });
    };
    const close = (): void => {
      stream?.stop();
      stream = undefined;
      retire(path);
    };
    const visibility = (): void => {
      clearTimeout(hidden);
      if (document.hidden) hidden = setTimeout(close, HIDDEN_AFTER_MS);
      else open();
    };
    open();
    document.addEventListener('visibilitychange', visibility);
    return () => {
      document.removeEventListener('visibilitychange', visibility);
      clearTimeout(hidden);
      close();
    };
  }, [path]);
  return { lost };
}
