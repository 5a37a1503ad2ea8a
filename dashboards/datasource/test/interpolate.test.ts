import { type TypedVariableModel } from '@grafana/data';
import { interpolated, listParams, names, variableName, type Variables } from '../src/interpolate';

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
  it('restrict nothing where nothing is chosen', () => {
    expect(names(['$site'], variables({ site: '' }))).toEqual([]);
  });
  it('that repeat a panel count before what the dashboard chooses', () => {
    expect(names(['$site'], variables({ site: ['$__all'] }), { site: { value: 'quay-2', text: '' } })).toEqual(['quay-2']);
  });
  it('that do not exist are left, so that the backend can name them', () => {
    expect(names(['$nowhere'], variables({}))).toEqual(['$nowhere']);
  });
});

describe('a query on its way to the backend', () => {
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
