import { CoreApp } from '@grafana/data';
import { type Kind, type LamppostQuery } from './types';

/** A value that can be picked, and its words. */
export interface Pick<T extends string = string> {
  value: T;
  label: string;
  description?: string;
}

export const KINDS: Pick<Kind>[] = [
  { value: 'history', label: 'History', description: 'Readings over time' },
  { value: 'latest', label: 'Latest', description: 'The newest readings, with place and state' },
  { value: 'ledger', label: 'Ledger', description: 'What came, what was refused, what is missing' },
  { value: 'sensors', label: 'Sensors', description: 'Who is registered, and whether they report' },
  { value: 'pipeline', label: 'Pipeline', description: 'How the server itself is doing' },
];

/** The views of each kind; the first is the one without a choice. */
export const VIEWS: Record<Kind, Pick[]> = {
  history: [],
  latest: [
    { value: 'sensors', label: 'By sensor', description: 'A row for each sensor, a column for each quantity' },
    { value: 'readings', label: 'By reading', description: 'A row for each reading' },
  ],
  ledger: [
    { value: 'totals', label: 'Totals' },
    { value: 'steps', label: 'Over time' },
    { value: 'reasons', label: 'Refused, by reason' },
    { value: 'each', label: 'By sensor' },
  ],
  sensors: [
    { value: 'list', label: 'Sensors' },
    { value: 'sites', label: 'Sites' },
    { value: 'districts', label: 'Districts' },
    { value: 'states', label: 'Numbers', description: 'How many there are, report, and are silent' },
    { value: 'bridges', label: 'Bridges', description: 'What reads sensors at the edge: firmware, spool, clock' },
  ],
  pipeline: [
    { value: 'totals', label: 'Numbers' },
    { value: 'parts', label: 'Parts' },
  ],
  events: [],
};

export const AGGREGATES: Pick[] = [
  { value: '', label: 'As fits', description: 'Sum for counts, maximum for counters, mean for the rest' },
  { value: 'mean', label: 'Mean' },
  { value: 'min', label: 'Minimum' },
  { value: 'max', label: 'Maximum' },
  { value: 'sum', label: 'Sum' },
  { value: 'count', label: 'Number of readings' },
  { value: 'p50', label: 'Median' },
  { value: 'p95', label: '95th percentile' },
];

/** What adds up over a step does not go on with single readings: the line would fall where they begin. */
const ADDING = ['sum', 'count'];

/** How a query's readings can be combined. */
export function aggregatesOf(query: LamppostQuery): Pick[] {
  if (!query.live) {
    return AGGREGATES;
  }
  return AGGREGATES.filter(({ value }) => !ADDING.includes(value)).map((a) => (a.value === '' ? { ...a, description: 'Maximum for counters, mean for the rest' } : a));
}

const AUTOMATIC: Pick = { value: '', label: 'Automatic', description: 'As the width of the panel allows' };

export const STEPS: Pick[] = [
  AUTOMATIC,
  { value: 'raw', label: 'As they are', description: 'Every reading' },
  ...['10s', '1m', '5m', '15m', '30m', '1h', '6h', '12h'].map((value) => ({ value, label: value })),
  { value: '1d', label: 'Day', description: 'From midnight, by the city\'s clock' },
  { value: '1w', label: 'Week', description: 'From Monday, by the city\'s clock' },
  { value: '1mo', label: 'Month', description: 'Of the calendar' },
  { value: '1y', label: 'Year', description: 'Of the calendar' },
];

/** The ledger counts by the minute. */
export const LEDGER_STEPS = STEPS.filter((s) => s.value !== 'raw' && s.value !== '10s');

export const GROUPS: Pick[] = [
  { value: 'sensor', label: 'sensor' },
  { value: 'site', label: 'site' },
  { value: 'district', label: 'district' },
  { value: 'channel', label: 'channel' },
  { value: 'domain', label: 'domain' },
  { value: 'city', label: 'the whole city' },
];

export const COMPARISONS: Pick[] = [
  { value: 'day', label: 'a day before' },
  { value: 'week', label: 'a week before' },
  { value: 'year', label: 'a year before' },
];

export const STATES: Pick[] = [
  { value: 'ok', label: 'ok' },
  { value: 'silent', label: 'silent' },
  { value: 'never', label: 'never seen' },
];

export const DOMAINS: Pick[] = [
  { value: 'traffic', label: 'Traffic' },
  { value: 'energy', label: 'Energy' },
  { value: 'safety', label: 'Safety' },
];

export const SORTS: Pick[] = [
  { value: '', label: 'As they are' },
  { value: 'missing', label: 'Most missing' },
  { value: 'rejected', label: 'Most refused' },
  { value: 'last_seen', label: 'Longest silent' },
];

/** What the ledger counts, in the words of its columns. */
export const COUNTERS: Pick[] = [
  { value: 'expected', label: 'Expected reports' },
  { value: 'received', label: 'Received' },
  { value: 'accepted', label: 'Accepted' },
  { value: 'written', label: 'Written' },
  { value: 'waiting', label: 'Waiting' },
  { value: 'missing', label: 'Missing' },
  { value: 'late', label: 'Late' },
  { value: 'stamped', label: 'Stamped' },
  { value: 'duplicate', label: 'Duplicate' },
  { value: 'rejected', label: 'Rejected' },
  { value: 'rejected_for', label: 'Rejected, by reason' },
  { value: 'delay_p50', label: 'Delay, median' },
  { value: 'delay_p99', label: 'Delay, 99 of 100' },
  { value: 'completeness', label: 'Completeness' },
];

export const LIMITS: Pick[] = ['10', '25', '50', '100', '500', '1000'].map((value) => ({ value, label: value }));

export const EVENTS: Pick[] = [
  { value: 'silence', label: 'Silences' },
  { value: 'clock', label: 'Clock faults' },
];

export type Field = keyof LamppostQuery;

/** How far from its site an area may be picked to reach, in metres. */
export const DISTANCES: Pick[] = [
  { value: '250', label: '250 m' },
  { value: '500', label: '500 m' },
  ...[1, 2, 5, 10].map((km) => ({ value: String(1000 * km), label: `${km} km` })),
];

const AREAS: Field[] = ['area', 'around'];
const PLACES: Field[] = ['districts', 'sites', 'sensors', ...AREAS];

/** The fields that mean something for a query as it is; the editor shows these and no others. */
export function fieldsOf(query: LamppostQuery): Set<Field> {
  const view = viewOf(query);
  switch (kindOf(query)) {
    case 'history':
      return new Set<Field>([
        'quantities',
        'domains',
        ...PLACES.filter((place) => !AREAS.includes(place) || !query.live),
        'channel',
        'step',
        ...(query.step === 'raw' ? [] : (['aggregate'] as Field[])),
        ...(query.step === 'raw' || query.live ? [] : (['group', 'gaps', 'whole'] as Field[])),
        ...(query.live ? [] : (['compare'] as Field[])),
        'live',
      ]);
    case 'latest':
      return new Set<Field>(['view', 'quantities', 'domains', ...PLACES, 'channel', 'states', 'live', ...(view === 'readings' ? (['limit'] as Field[]) : [])]);
    case 'ledger':
      if (view === 'each') {
        return new Set<Field>(['view', 'districts', 'sites', 'sensors', 'sort', 'limit']);
      }
      return new Set<Field>([
        'view', 'districts', 'sites', 'sensors',
        ...(view === 'reasons' ? [] : (['counters'] as Field[])),
        ...(view === 'steps' ? (['step', 'whole'] as Field[]) : []),
      ]);
    case 'sensors':
      if (view === 'bridges') {
        return new Set<Field>(['view', 'limit']);
      }
      if (view === 'districts') {
        return new Set<Field>(['view', 'districts', 'limit']);
      }
      return new Set<Field>(['view', ...(view === 'list' || view === 'states' ? (['quantities', 'sensors'] as Field[]) : []), 'domains', 'districts', 'sites', ...AREAS, 'states', ...(view === 'states' ? [] : (['limit'] as Field[]))]);
    case 'pipeline':
      return new Set<Field>(['view']);
    case 'events':
      return new Set<Field>(['events', 'districts', 'sites', 'sensors', 'limit']);
  }
}

export function kindOf(query: LamppostQuery): Kind {
  return query.kind ?? 'history';
}

/** The view of a query, also where it is not said. */
export function viewOf(query: LamppostQuery): string {
  const views = VIEWS[kindOf(query)];
  return views.find((v) => v.value === query.view)?.value ?? views[0]?.value ?? '';
}

const CHOICES: Field[] = [
  'view', 'quantities', 'domains', 'districts', 'sites', 'sensors', ...AREAS, 'channel', 'aggregate', 'step', 'group', 'compare', 'gaps', 'whole', 'states',
  'search', 'sort', 'counters', 'limit', 'events', 'live',
];

/** Whether a query is a history of steps, each of which stands for readings. */
function inSteps(query: LamppostQuery): boolean {
  return kindOf(query) === 'history' && fieldsOf(query).has('whole');
}

/** The query with a change made, and without all that does not go with it any more. */
export function changed(query: LamppostQuery, change: Partial<LamppostQuery>): LamppostQuery {
  let next: LamppostQuery = { ...query, ...change };
  if (change.live) {
    // What comes live are single readings: nothing that combines or compares them goes with it.
    next = { ...next, group: undefined, compare: undefined, gaps: undefined, aggregate: ADDING.includes(next.aggregate ?? '') ? undefined : next.aggregate };
  }
  if (change.area) {
    next.around = undefined; // one of the two
  }
  if (change.around) {
    next.area = undefined;
  }
  if (ADDING.includes(change.aggregate ?? '')) {
    next.live = undefined;
  }
  if (change.group?.includes('city')) {
    // The whole city goes with nothing else: what was picked last counts.
    next.group = query.group?.includes('city') ? change.group.filter((g) => g !== 'city') : ['city'];
  }
  if (!VIEWS[kindOf(next)].some((v) => v.value === next.view)) {
    next.view = undefined;
  }
  if (kindOf(next) !== 'history' && next.step === 'raw') {
    next.step = undefined;
  }
  if (!inSteps(query) && inSteps(next)) {
    next.whole = true; // as with a new query
  }
  const fields = fieldsOf(next);
  for (const field of CHOICES) {
    const value = next[field];
    if (!fields.has(field) || value === '' || value === false || (Array.isArray(value) && value.length === 0)) {
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- one of the fields above
      delete next[field];
    }
  }
  return next;
}

/** The query as Explore's Live button wants it: going on with readings as they come, without what does not go with that. */
export function streamed(query: LamppostQuery): LamppostQuery {
  return fieldsOf(query).has('live') ? changed(query, { live: true }) : query;
}

/** What Live takes from a query and makes its answer another one, in the words of the editor. */
const LOST: Partial<Record<Field, string>> = { group: 'A line for each', compare: 'Compare with', gaps: 'Show gaps', aggregate: 'Combined by', area: 'Area', around: 'Area' };

/** What a query that is streamed goes without, in words; '' if nothing. */
export function lost(query: LamppostQuery): string {
  const next = streamed(query);
  const words = Object.entries(LOST).filter(([field]) => {
    const value = query[field as Field];
    return Boolean(value) && !(Array.isArray(value) && value.length === 0) && next[field as Field] === undefined;
  });
  return words.length === 0 ? '' : `Live shows single readings and leaves out what was chosen under ${words.map(([, word]) => word).join(', ')}`;
}

/** The views that a kind has; alert rules watch the ledger over time only. */
export function viewsOf(query: LamppostQuery, alerting: boolean): Pick[] {
  const kind = kindOf(query);
  return alerting && kind === 'ledger' ? VIEWS[kind].filter(({ value }) => value === 'steps' || value === viewOf(query)) : VIEWS[kind];
}

/** Whether a query is an alert rule's. */
export function isAlerting(app: CoreApp | undefined): boolean {
  return app === CoreApp.UnifiedAlerting || app === CoreApp.CloudAlerting;
}

/** What a query still lacks before it can be asked; '' if nothing. */
export function lacks(query: LamppostQuery): string {
  const named = (query.quantities?.length ?? 0) + (query.sensors?.length ?? 0) + (query.sites?.length ?? 0);
  if (kindOf(query) === 'history' && named === 0) {
    return 'Choose a quantity';
  }
  return query.around && !query.around.site ? 'Choose the site that the area is around' : '';
}
