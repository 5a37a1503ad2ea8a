// What the HTTP API answers, in its own words (see /api/openapi.json). Times are RFC 3339 unless said.

export type Domain = 'traffic' | 'energy' | 'safety';
export const DOMAINS: readonly Domain[] = ['traffic', 'energy', 'safety'];

/** silent: older than twice the cadence and ten seconds; never: registered, and has not reported yet. */
export type SensorState = 'ok' | 'silent' | 'never';
export const STATES: readonly SensorState[] = ['ok', 'silent', 'never'];

export interface City {
  name: string;
  /** An IANA zone, such as Europe/Berlin. */
  zone: string;
}

export interface Reading {
  sensor: string;
  quantity: string;
  channel: string;
  value: number;
  unit: string;
  time: string;
  /** True where the payload had no time and the reading was stamped on receipt. */
  stamped?: boolean;
  /** The state's name, for quantities that are states. */
  state?: string;
}

export interface Sensor {
  id: string;
  title: string;
  site: string;
  site_title: string;
  district: string;
  /** Null where the site has no position. */
  lon: number | null;
  lat: number | null;
  /** Whoever publishes for it: its own id where it does so itself. */
  publisher: string;
  /** 0: reports when it likes, and is never silent. */
  cadence_s: number;
  quantities: string[];
  domains: Domain[];
  state: SensorState;
  last_seen: string | null;
}

export interface SensorDetail extends Sensor {
  latest: Reading[];
}

export interface Site {
  id: string;
  title: string;
  district: string;
  lon: number;
  lat: number;
  domains: Domain[];
  sensors: number;
  silent: number;
  never: number;
  state: SensorState;
}

export interface District {
  id: string;
  title: string;
  sites: number;
  sensors: number;
}

export interface Quantity {
  name: string;
  title: string;
  domain: Domain;
  kind: 'gauge' | 'counter' | 'count' | 'state';
  /** The symbol, such as km/h; empty for a bare number. */
  unit: string;
  ucum: string;
  /** The SenML unit; "/" says that the value is a ratio. */
  senml: string;
  min: number;
  max: number;
  states?: string[] | null;
  /** It tells of the device itself, such as its battery, not of the city. */
  device?: boolean;
  model?: string;
}

export interface Figure {
  domain: Domain;
  quantity: string;
  title: string;
  unit: string;
  agg: 'mean' | 'sum' | 'max';
  value: number;
  sensors: number;
  time: string;
}

export interface Series {
  sensor: string;
  quantity: string;
  channel: string;
  unit: string;
  /** Unix milliseconds and value, in the order of time. */
  points: [number, number][];
}

export interface History {
  series: Series[];
  truncated: boolean;
}

export interface Sums {
  received: number;
  duplicate: number;
  late: number;
  stamped: number;
  rejected: Record<string, number>;
  accepted: number;
  written: number;
  waiting: number;
  /** Reports that did not come; a report is all readings of a sensor with the same time. */
  missing: number;
  reports: number;
  expected: number;
}

export interface SensorLedger extends Sums {
  minutes: (Partial<Sums> & { time: string })[];
}

export interface Quarantined {
  id: number;
  received: string;
  reason: string;
  topic: string;
  publisher: string;
  sensor: string;
  detail: string;
  readings: number;
  size_bytes: number;
  payload_base64: string;
  /** True where only the first part of the payload was kept. */
  truncated: boolean;
}

export interface Part {
  name: string;
  ready: boolean;
  message: string;
}

export interface Pipeline {
  received_per_s: number;
  written_per_s: number;
  waiting: number;
  quarantined: number;
  rejected_total: number;
  spool: { bytes: number; max_bytes: number; oldest_s: number; full: boolean };
  parts: Part[];
  delay_ms: { p50: number; p99: number };
  started: string;
  version: string;
}

/** An edge bridge, as it described itself last. What it has never said is left out. */
export interface Bridge {
  publisher: string;
  title: string;
  state: 'online' | 'offline';
  version: string;
  /** When it said this; null where it did not know the date. */
  at: string | null;
  sensors: number;
  failing: number;
  settings?: { source: string; id: string; refused?: { id: string; error: string } };
  outbox?: { waiting_readings: number; oldest_s: number; disk: string };
}

export interface Audit {
  clean: boolean;
  from: string;
  to: string;
  readings: number;
  rows: number;
  waiting: number;
  differences: { sensor: string; time: string; ledger: number; store: number }[];
}

export interface Replayed {
  replayed: number;
  still_refused: number;
}

export interface List<T> {
  items: T[];
  total: number;
}
