// What is to be said of an edge bridge: how it does, worst first.
import type { Bridge } from '../api/types.ts';
import { count, whole } from '../words/numbers.ts';
import { span } from '../words/times.ts';

/** What waits longer than this at a bridge is held up: bridges send several times a minute. */
const HELD_UP_S = 120;

export interface Fact {
  text: string;
  /** Whether somebody has to do something about it. */
  wrong: boolean;
}

/** Its sensors: 14 sensors, or 2 of 14 sensors failing. */
export const sensorsFact = (b: Bridge): Fact =>
  b.failing > 0 ? { text: `${whole(b.failing)} of ${count(b.sensors, 'sensor')} failing`, wrong: true } : { text: b.sensors === 0 ? 'no sensors' : count(b.sensors, 'sensor'), wrong: b.state === 'online' && b.sensors === 0 };

/** What waits there for the broker; undefined where it has never said. */
export function waitingFact(b: Bridge): Fact | undefined {
  const o = b.outbox;
  if (o === undefined) return undefined;
  const waits = o.waiting_readings === 0 ? 'nothing waits' : `${count(o.waiting_readings, 'reading waits', 'readings wait')}${o.oldest_s > 0 ? `, the oldest ${span(o.oldest_s * 1000)}` : ''}`;
  if (o.disk !== 'fine') return { text: `its disk is ${o.disk.replace('_', ' ')}; ${waits}`, wrong: true };
  return { text: waits, wrong: o.waiting_readings > 0 && o.oldest_s > HELD_UP_S };
}

const SETTINGS: Record<string, string> = { file: 'settings of its own file', remote: 'settings from here', none: 'no settings' };

/** Which settings are in force, and what became of newer ones; undefined where it has never said. */
export function settingsFact(b: Bridge): Fact | undefined {
  const s = b.settings;
  if (s === undefined) return undefined;
  if (s.refused !== undefined) return { text: `newer settings refused: ${s.refused.error}`, wrong: true };
  return { text: SETTINGS[s.source] ?? s.source, wrong: s.source === 'none' };
}

/** How bad it is, for the order: offline, then what is wrong, then the rest. */
function weight(b: Bridge): number {
  if (b.state !== 'online') return 2;
  return [sensorsFact(b), waitingFact(b), settingsFact(b)].some((f) => f?.wrong === true) ? 1 : 0;
}

export const needsCare = (b: Bridge) => weight(b) > 0;

/** Those that need somebody first. */
export const worstFirst = (bridges: readonly Bridge[]) => [...bridges].sort((a, b) => weight(b) - weight(a) || a.publisher.localeCompare(b.publisher));
