// Times for people, in the city's zone.
import { createContext, useContext, useSyncExternalStore } from 'react';

const LOCALE = 'en-GB';

export interface Times {
  zone: string;
  /** 14:05 */
  clock(ms: number): string;
  /** 14:05:09 */
  exact(ms: number): string;
  /** 4 May, 14:05; with the year when it is another one. */
  dateTime(ms: number): string;
  /** 14:05 today, else 4 May, 14:05 */
  near(ms: number, now: number): string;
  /** Monday, 4 May 2026 */
  day(ms: number): string;
  /** Monday, 4 May 2026 at 14:05:09 CEST, for titles. */
  full(ms: number): string;
}

/** Formats times in a zone; a zone that the browser does not know gives the browser's own. */
export function timesIn(wanted: string): Times {
  let zone = wanted;
  try {
    new Intl.DateTimeFormat(LOCALE, { timeZone: wanted });
  } catch {
    zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
  const make = (options: Intl.DateTimeFormatOptions) => {
    const format = new Intl.DateTimeFormat(LOCALE, { timeZone: zone, hourCycle: 'h23', ...options });
    return (ms: number) => format.format(ms);
  };
  const clock = make({ hour: '2-digit', minute: '2-digit' });
  const date = make({ year: 'numeric', month: 'short', day: 'numeric' });
  const year = make({ year: 'numeric' });
  const short = make({ month: 'short', day: 'numeric' });
  const times: Times = {
    zone,
    clock,
    exact: make({ hour: '2-digit', minute: '2-digit', second: '2-digit' }),
    dateTime: (ms) => `${year(ms) === year(Date.now()) ? short(ms) : date(ms)}, ${clock(ms)}`,
    near: (ms, now) => (date(ms) === date(now) ? clock(ms) : times.dateTime(ms)),
    day: make({ weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' }),
    full: make({ weekday: 'long', year: 'numeric', month: 'long', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short' }),
  };
  return times;
}

/** How long something took or is ago: 8 s, 12 min, 3 h 20 min, 4 days. */
export function span(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 90) return `${s} s`;
  const min = Math.round(s / 60);
  if (min < 90) return `${min} min`;
  const h = Math.floor(min / 60);
  if (h < 48) return min % 60 === 0 || h >= 12 ? `${h} h` : `${h} h ${min % 60} min`;
  return `${Math.round(h / 24)} days`;
}

/** Two clocks may differ by this much without a word about it. */
const CLOCKS_MS = 30_000;

/** How long ago: just now, 12 s ago, 3 h 20 min ago; 2 min ahead, where the clock of a sensor is wrong. */
export function ago(ms: number, now: number): string {
  if (ms - now > CLOCKS_MS) return `${span(ms - now)} ahead`;
  return now - ms < 2000 ? 'just now' : `${span(now - ms)} ago`;
}

/** Spelled out for screen readers and sentences: every 10 seconds. */
export function everySpan(seconds: number): string {
  if (seconds <= 0) return 'whenever it likes';
  if (seconds === 1) return 'every second';
  if (seconds < 120) return `every ${seconds} seconds`;
  return seconds % 3600 === 0 ? `every ${seconds / 3600} h` : `every ${Math.round(seconds / 60)} minutes`;
}

export const TimesContext = createContext<Times>(timesIn(Intl.DateTimeFormat().resolvedOptions().timeZone));

/** The formats of the city's zone. */
export const useTimes = () => useContext(TimesContext);

interface Beat {
  subscribe: (changed: () => void) => () => void;
  read: () => number;
}

function makeBeat(stepMs: number): Beat {
  let now = Date.now();
  let timer: ReturnType<typeof setInterval> | undefined;
  const watchers = new Set<() => void>();
  return {
    read: () => now,
    subscribe: (changed) => {
      watchers.add(changed);
      timer ??= setInterval(() => {
        now = Date.now();
        for (const w of watchers) w();
      }, stepMs);
      return () => {
        watchers.delete(changed);
        if (watchers.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
  };
}

const beats = new Map<number, Beat>();

/** The time now, renewed every stepMs. All who ask for one step share one timer. */
export function useNow(stepMs = 1000): number {
  let beat = beats.get(stepMs);
  if (beat === undefined) {
    beat = makeBeat(stepMs);
    beats.set(stepMs, beat);
  }
  return useSyncExternalStore(beat.subscribe, beat.read);
}
