import { AGGREGATES, aggregatesOf, changed, COMPARISONS, fieldsOf, GROUPS, KINDS, lacks, STEPS, streamed, VIEWS } from '../src/rules';
import { type LamppostQuery } from '../src/types';

const history: LamppostQuery = { refId: 'A', kind: 'history', quantities: ['speed'] };

describe('what is picked', () => {
  it('takes away what does not go with it', () => {
    const grouped = changed(history, { group: ['site'], compare: ['week'], gaps: true, aggregate: 'count' });
    expect(changed(grouped, { live: true })).toEqual({ ...history, live: true });
    expect(changed(grouped, { step: 'raw' })).toEqual({ ...history, step: 'raw', compare: ['week'] });
    expect(changed(grouped, { kind: 'latest' })).toEqual({ ...history, kind: 'latest' });
  });
  it.each(['sum', 'count'])('does not go on live as a %s over steps, of which a single reading is a part', (aggregate) => {
    expect(changed({ ...history, aggregate }, { live: true })).toEqual({ ...history, live: true });
    expect(changed({ ...history, live: true }, { aggregate })).toEqual({ ...history, aggregate, whole: true });
    expect(streamed({ ...history, aggregate })).toEqual({ ...history, live: true });
    expect(aggregatesOf(history).map((a) => a.value)).toContain(aggregate);
    expect(aggregatesOf({ ...history, live: true }).map((a) => a.value)).toEqual(['', 'mean', 'min', 'max', 'p50', 'p95']);
  });
  it('is the whole city or parts of it, whichever came last', () => {
    expect(changed({ ...history, group: ['site'] }, { group: ['site', 'city'] }).group).toEqual(['city']);
    expect(changed({ ...history, group: ['city'] }, { group: ['city', 'district'] }).group).toEqual(['district']);
  });
  it('leaves out steps that are not whole where a history gets steps, until that is switched off', () => {
    const whole = { ...history, whole: true };
    expect(changed({ refId: 'A', kind: 'latest', quantities: ['speed'] }, { kind: 'history' })).toEqual(whole);
    expect(changed({ ...history, step: 'raw' }, { step: '5m' })).toEqual({ ...whole, step: '5m' });
    expect(changed({ ...history, live: true }, { live: false })).toEqual(whole);
    expect(changed(whole, { whole: false })).toEqual(history);
    expect(changed(history, { step: '5m' })).toEqual({ ...history, step: '5m' }); // one that was saved without
    expect(changed(whole, { live: true })).toEqual({ ...history, live: true });
    expect(changed(whole, { step: 'raw' })).toEqual({ ...history, step: 'raw' });
    expect(changed(whole, { kind: 'ledger' })).toEqual({ refId: 'A', kind: 'ledger' });
  });
  it('leaves nothing empty behind', () => {
    expect(changed({ ...history, districts: ['harbour'], step: '5m' }, { districts: [], step: '' })).toEqual(history);
  });
  it('keeps what Grafana added', () => {
    const datasource = { type: 'lamppost-city-datasource', uid: 'x' };
    expect(changed({ ...history, hide: true, datasource }, { kind: 'pipeline' })).toEqual({ refId: 'A', kind: 'pipeline', hide: true, datasource });
  });
});

it('a question that Explore streams goes on live, without what does not go with that', () => {
  expect(streamed({ ...history, group: ['site'], compare: ['day'], gaps: true, aggregate: 'count', area: { west: 1, south: 2, east: 3, north: 4 } })).toEqual({ ...history, live: true });
  expect(streamed({ ...history, step: 'raw' })).toEqual({ ...history, step: 'raw', live: true });
  expect(streamed({ refId: 'A', kind: 'latest', districts: ['harbour'] })).toEqual({ refId: 'A', kind: 'latest', districts: ['harbour'], live: true });
  expect(streamed({ refId: 'A', kind: 'pipeline' })).toEqual({ refId: 'A', kind: 'pipeline' });
});

// The same rules as those of the backend, over all that can be picked one after the other.
describe('no way through the editor', () => {
  const picks: Partial<LamppostQuery>[] = [
    ...KINDS.map(({ value }) => ({ kind: value })),
    ...Object.values(VIEWS).flatMap((views) => views.map(({ value }) => ({ view: value }))),
    ...AGGREGATES.map(({ value }) => ({ aggregate: value })),
    ...STEPS.slice(0, 4).map(({ value }) => ({ step: value })),
    ...GROUPS.map(({ value }) => ({ group: [value] })),
    ...COMPARISONS.map(({ value }) => ({ compare: [value] })),
    { area: { west: 1, south: 2, east: 3, north: 4 } }, { around: { site: 'quay-1', metres: 500 } }, { live: true }, { gaps: true }, { whole: true }, { counters: ['missing'] }, { states: ['ok'] }, { sort: 'missing' }, { limit: 10 }, { events: ['clock'] },
  ];
  it('ends in a query that the backend refuses', () => {
    for (const first of picks) {
      for (const second of picks) {
        for (const third of picks) {
          let query = history;
          for (const pick of [first, second, third]) {
            const field = Object.keys(pick)[0] as keyof LamppostQuery;
            const shown = field === 'view' ? VIEWS[query.kind ?? 'history'].some((v) => v.value === pick.view) : fieldsOf(query).has(field);
            if (field === 'kind' || shown) { // what is not shown cannot be picked
              query = changed(query, pick);
            }
          }
          expect(faults(query)).toEqual([]);
        }
      }
    }
  });
});

/** question.Check in short. */
function faults(q: LamppostQuery): string[] {
  const combined = (q.group?.length ?? 0) + (q.compare?.length ?? 0) > 0 || Boolean(q.gaps);
  const views = VIEWS[q.kind ?? 'history'].map((v) => v.value);
  return [
    q.view && !views.includes(q.view) ? 'view' : '',
    q.kind !== 'history' && (combined || q.aggregate) ? 'belongs to history' : '',
    q.kind !== 'history' && q.step && !(q.kind === 'ledger' && q.view === 'steps' && q.step !== 'raw') ? 'step' : '',
    q.live && q.kind !== 'history' && q.kind !== 'latest' ? 'live kind' : '',
    q.kind === 'history' && q.live && (combined || q.area || q.around || ['sum', 'count'].includes(q.aggregate ?? '')) ? 'live' : '',
    q.kind === 'history' && q.step === 'raw' && (q.aggregate || q.group || q.gaps) ? 'raw' : '',
    q.area && q.around ? 'two areas' : '',
    (q.area || q.around) && (['ledger', 'pipeline', 'events'].includes(q.kind ?? '') || ['districts', 'bridges'].includes(q.view ?? '')) ? 'area' : '',
    q.counters && !(q.kind === 'ledger' && ['totals', 'steps'].includes(q.view ?? 'totals')) ? 'counters' : '',
    q.whole && !(q.kind === 'history' && q.step !== 'raw' && !q.live) && !(q.kind === 'ledger' && q.view === 'steps') ? 'whole' : '',
    (q.group?.length ?? 0) > 1 && q.group?.includes('city') ? 'city' : '',
  ].filter((fault) => fault !== '');
}

describe('a history', () => {
  it('wants a quantity, sensors or sites', () => {
    expect(lacks({ refId: 'A' })).not.toBe('');
    expect(lacks({ refId: 'A', sensors: ['cam-1'] })).toBe('');
    expect(lacks({ refId: 'A', kind: 'latest' })).toBe('');
  });
  it('wants the site of an area around one, as every other question does', () => {
    const around = { metres: 500 };
    expect(lacks({ ...history, around })).toBe('Choose the site that the area is around');
    expect(lacks({ refId: 'A', kind: 'latest', around })).not.toBe('');
    expect(lacks({ refId: 'A', kind: 'latest', around: { ...around, site: 'quay-1' } })).toBe('');
  });
});
