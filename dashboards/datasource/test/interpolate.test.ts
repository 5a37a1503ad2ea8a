import { type TypedVariableModel } from '@grafana/data';
import { blank, interpolated, listParams, names, variableName, type Variables } from '../src/interpolate';

/** Variables as a dashboard has them. */
function variables(chosen: Record<string, string | string[]>): Variables {
  return {
    getVariables: () => Object.entries(chosen).map(([name, value]) => ({ name, type: 'query', current: { value } }) as unknown as TypedVariableModel),
    replace: (target, scoped, format) =>
      target.replace(/\$\{?(\w+)\}?/g, (whole, name: string) => {
        const value = (scoped?.[name]?.value as string | undefined) ?? chosen[name];
        return value === undefined ? whole : format ? format(value) : String(value);
      }),
  };
}

describe('variables in names', () => {
  it('are known in each of their forms', () => {
    expect(['$site', '${site}', '${site:csv}', '[[site]]', 'site', 'quay-$n'].map(variableName)).toEqual(['site', 'site', 'site', 'site', '', '']);
  });
  it('become what is chosen, each name once', () => {
    expect(names(['$site', 'market', 'quay-1'], variables({ site: ['quay-1', 'quay-2'] }))).toEqual(['quay-1', 'quay-2', 'market']);
  });
  it('restrict nothing where all is chosen, however much all is', () => {
    expect(names(['$site'], variables({ site: ['$__all'] }))).toEqual([]);
    expect(names(['$site', 'market'], variables({ site: '$__all' }))).toEqual([]);
    expect(names(['$site'], variables({ site: '*' }))).toEqual([]);
  });
  it('that are empty never choose everything: the backend refuses them by name', () => {
    for (const empty of ['', [], ['']]) {
      expect(names(['$site'], variables({ site: empty }))).toEqual(['$site']);
      expect(names(['$site', 'market'], variables({ site: empty }))).toEqual(['market']);
    }
  });
  it('that repeat a panel count before what the dashboard chooses', () => {
    expect(names(['$site'], variables({ site: ['$__all'] }), { site: { value: 'quay-2', text: '' } })).toEqual(['quay-2']);
  });
  it('that do not exist are left, so that the backend can name them', () => {
    expect(names(['$nowhere'], variables({}))).toEqual(['$nowhere']);
  });
});

/** Variables of this data source, which list what their queries say. */
function listing(all: Record<string, { query: object | string; value?: string; options: string[]; allValue?: string }>): Variables {
  return {
    getVariables: () => Object.entries(all).map(([name, v]) => ({ name, type: 'query', current: { value: v.value ?? '$__all' }, query: v.query, allValue: v.allValue }) as unknown as TypedVariableModel),
    replace: (target, _scoped, format) => target.replace(/\$(\w+)/g, (whole, name: string) => {
      const v = all[name];
      return v ? format!(v.value ?? v.options) : whole;
    }),
  };
}

describe('all of a variable', () => {
  const district = { query: { list: 'districts' }, options: ['harbour', 'north-hill'], value: 'north-hill' };
  const gauges = { list: 'sensors', districts: ['$district'], quantities: ['water_level'] };

  it('is everything where it depends on nothing, or only on what the query names as well', () => {
    expect(names(['$district'], listing({ district: { ...district, value: '$__all' } }))).toEqual([]);
    const query = { refId: 'A', districts: ['$district'], quantities: ['water_level'], sensors: ['$sensor'] };
    expect(names(query.sensors, listing({ district, sensor: { query: gauges, options: ['g-1'] } }), undefined, query)).toEqual([]);
  });
  it('is everything where what it depends on is everything', () => {
    const query = { list: 'sensors', districts: ['$district'], sites: ['$site'] };
    const all = listing({ district: { ...district, value: '$__all' }, site: { query: { list: 'sites', districts: ['$district'] }, options: ['quay-1'] }, sensor: { query, options: ['g-1'] } });
    expect(names(['$sensor'], all)).toEqual([]);
  });
  it('is what it lists where that is less than everything', () => {
    expect(names(['$sensor'], listing({ district, sensor: { query: gauges, options: ['g-1', 'g-2'] } }))).toEqual(['g-1', 'g-2']);
    expect(names(['$kind'], listing({ kind: { query: 'speed, no2', options: ['speed', 'no2'] } }))).toEqual(['speed', 'no2']);
  });
  it('is nothing where that lists nothing, or more than can be named', () => {
    const many = Array.from({ length: 1000 }, (_, i) => `g-${i}`);
    const query = { quantities: ['water_level'], sensors: ['$sensor'] };
    expect(blank(query, listing({ district, sensor: { query: gauges, options: [] } }))).toBe('The variable $sensor has nothing to choose from');
    expect(blank(query, listing({ district, sensor: { query: gauges, options: many } }))).toBe('All of the variable $sensor are more than can be named at once: choose some');
    expect(blank(query, listing({ district, sensor: { query: gauges, options: ['g-1'] } }))).toBe('');
  });
  it('is found out also of variables that depend on each other', () => {
    const round = listing({ a: { query: { list: 'sites', districts: ['$b'] }, options: ['x'] }, b: { query: { list: 'sensors', sites: ['$a'] }, options: ['y'] } });
    expect(names(['$a'], round)).toEqual(['x']);
  });
});

it.each(['quantities', 'domains', 'districts', 'sites', 'sensors'] as const)('an empty variable among the %s leaves nothing to ask', (list) => {
  expect(blank({ [list]: ['$v'] }, variables({ v: '' }))).toBe('The variable $v is empty');
  expect(blank({ [list]: ['$v'] }, variables({ v: [] }))).toBe('The variable $v is empty');
  expect(blank({ [list]: ['$v', 'x'] }, variables({ v: '' }))).toBe('');
  expect(blank({ [list]: ['$v'] }, variables({ v: '$__all' }))).toBe('');
  expect(blank({ [list]: [] }, variables({}))).toBe('');
});

it('an empty variable for the channel leaves nothing to ask', () => {
  expect(blank({ channel: '$lane' }, variables({ lane: '' }))).toBe('The variable $lane is empty');
  expect(blank({ channel: '$lane' }, variables({ lane: '$__all' }))).toBe('');
});

it('several values for what is one leave nothing to ask', () => {
  expect(blank({ channel: '$lane' }, variables({ lane: ['1', '2'] }))).toBe('The variable $lane has several values, and only one channel can be shown');
  const around = { site: '$site', metres: 500 };
  expect(blank({ around }, variables({ site: ['quay-1', 'quay-2'] }))).toBe('The variable $site is more than one site, and an area is around one');
  expect(blank({ around }, variables({ site: '$__all' }))).toBe('The variable $site is more than one site, and an area is around one');
  expect(blank({ around }, variables({ site: '' }))).toBe('The variable $site is empty');
  expect(blank({ around }, variables({ site: 'quay-1' }))).toBe('');
  expect(blank({ around: { site: 'quay-1', metres: 500 } }, variables({}))).toBe('');
});

describe('a query on its way to the backend', () => {
  it('has the site of its area, which may be a variable', () => {
    const query = { refId: 'A', kind: 'latest' as const, around: { site: '$site', metres: 500 } };
    expect(interpolated(query, variables({ site: 'quay-1' })).around).toEqual({ site: 'quay-1', metres: 500 });
    expect(interpolated(query, variables({})).around).toEqual({ site: '$site', metres: 500 }); // the backend says that it has no value
  });
  it('has its variables replaced and the filters of the dashboard added', () => {
    const query = { refId: 'A', kind: 'history' as const, quantities: ['$quantity'], sensors: ['cam-1'], channel: '$lane', step: '$step' };
    const filters = [{ key: 'district', operator: '=', value: 'harbour', origin: 'dashboard' }];
    expect(interpolated(query, variables({ quantity: ['speed', 'no2'], lane: 'lane-1', step: '5m' }), {}, filters)).toEqual({
      refId: 'A', kind: 'history', quantities: ['speed', 'no2'], sensors: ['cam-1'], channel: 'lane-1', step: '5m',
      filters: [{ key: 'district', operator: '=', value: 'harbour' }],
    });
  });
});

describe('a list', () => {
  it('depends on what other variables chose', () => {
    expect(listParams({ districts: ['$district'], sites: ['$site'], domains: ['traffic'] }, variables({ district: ['harbour'], site: ['$__all'] }))).toEqual({ district: ['harbour'], domain: ['traffic'] });
  });
  it('shows everything while the variable that it depends on has no value yet', () => {
    expect(listParams({ districts: ['$district'] }, variables({}))).toEqual({});
  });
});
