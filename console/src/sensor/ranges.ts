// The ranges that a chart can show, and how finely.

export interface Range {
  id: string;
  title: string;
  spanMs: number;
  /** 0: every reading as it was. */
  stepMs: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Each gives a few hundred points, as many as a chart has room for. */
export const RANGES: readonly Range[] = [
  { id: '1h', title: '1 h', spanMs: HOUR, stepMs: 0 },
  { id: '24h', title: '24 h', spanMs: DAY, stepMs: 5 * MINUTE },
  { id: '7d', title: '7 d', spanMs: 7 * DAY, stepMs: 30 * MINUTE },
  { id: '30d', title: '30 d', spanMs: 30 * DAY, stepMs: 2 * HOUR },
  { id: '1y', title: '1 y', spanMs: 365 * DAY, stepMs: DAY },
];

/** A step as the API takes it: 5m, 2h, and 1d for a day of the city's calendar; '' for raw. */
export function stepText(ms: number): string {
  if (ms === 0) return '';
  if (ms % DAY === 0) return `${ms / DAY}d`;
  if (ms % HOUR === 0) return `${ms / HOUR}h`;
  return ms % MINUTE === 0 ? `${ms / MINUTE}m` : `${ms / 1000}s`;
}

/** A step for people: 5 minutes, 2 hours, a day. */
export function stepTitle(ms: number): string {
  if (ms === DAY) return 'day';
  if (ms === HOUR) return 'hour';
  return ms % HOUR === 0 ? `${ms / HOUR} hours` : `${ms / MINUTE} minutes`;
}
