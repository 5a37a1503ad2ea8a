import { CoreApp, type DataFrame, type DataSourceInstanceSettings, type DataQueryRequest, toDataFrame } from '@grafana/data';
import { DataSourceWithBackend } from '@grafana/runtime';
import { firstValueFrom, of } from 'rxjs';
import { LamppostDatasource } from '../src/datasource';
import { type Variables } from '../src/interpolate';
import { type Choice, type LamppostOptions, type LamppostQuery, type LamppostVariableQuery } from '../src/types';
import { type LamppostVariables } from '../src/variables';

const templates: Variables = { getVariables: () => [], replace: (text, _scoped, format) => (text === '$district' ? (format ? format('harbour') : 'harbour') : text) };

function source(variables = templates) {
  const datasource = new LamppostDatasource({ uid: 'uid-1', type: 'lamppost-city-datasource', jsonData: {} } as unknown as DataSourceInstanceSettings<LamppostOptions>, variables);
  const asked = jest.fn<Promise<object>, [string, object?]>(() => Promise.resolve({ items: [{ value: 'quay-1', label: 'North quay' }, { value: 'x', label: 'x' }], total: 2 }));
  datasource.getResource = asked as never;
  return { datasource, asked };
}

it('asks nothing of a query that is not complete or is hidden', () => {
  const { datasource } = source();
  expect(datasource.filterQuery({ refId: 'A', kind: 'history' })).toBe(false);
  expect(datasource.filterQuery({ refId: 'A', kind: 'history', quantities: ['speed'] })).toBe(true);
  expect(datasource.filterQuery({ refId: 'A', kind: 'latest', hide: true })).toBe(false);
});

it('shows something in Explore without a choice', () => {
  const { datasource } = source();
  expect(datasource.filterQuery({ refId: 'A', ...datasource.getDefaultQuery(CoreApp.Explore) })).toBe(true);
});

it('shows whole steps only in a new panel', () => {
  const { datasource } = source();
  expect(datasource.getDefaultQuery(CoreApp.PanelEditor)).toEqual({ kind: 'history', whole: true });
  expect(datasource.getDefaultQuery(CoreApp.UnifiedAlerting)).toEqual({ kind: 'history' });
});

it('leaves the search to the server', async () => {
  const { datasource, asked } = source();
  await datasource.choices('sensors', { districts: ['$district'] }, 'quay');
  expect(asked).toHaveBeenCalledWith('sensors', { district: ['harbour'], limit: 100, q: 'quay' });
});

describe('the values of a variable', () => {
  const values = async (answer: Choice[][], scopedVars: object, query: Partial<LamppostVariableQuery> = {}) => {
    const { datasource, asked } = source();
    answer.forEach((items) => asked.mockResolvedValueOnce({ items, total: items.length }));
    const request = { targets: [{ refId: 'v', list: 'sensors', search: '$__searchFilter', ...query }], scopedVars } as unknown as DataQueryRequest<LamppostVariableQuery>;
    const { data } = await firstValueFrom((datasource.variables as unknown as LamppostVariables).query(request));
    return { data: data as { text: string; value: string }[], asked: asked.mock.calls };
  };
  const typed = (value: string) => ({ __searchFilter: { value, text: value } });
  const chosen = (value: unknown) => ({ __sceneObject: { value: { valueOf: () => ({ state: { value } }) } } });
  const quay = { value: 'quay-1', label: 'North quay' };
  const many = Array.from({ length: 1000 }, (_, i) => ({ value: `s-${i}`, label: `S ${i}` }));

  it('depend on those of others, and are searched by the server', async () => {
    const { data, asked } = await values([[quay]], typed('nor'), { list: 'sites', districts: ['$district'] });
    expect(data).toEqual([{ text: 'North quay', value: 'quay-1' }]);
    expect(asked).toEqual([['sites', { district: ['harbour'], limit: 1000, q: 'nor' }]]);
  });
  it('that were found by their ids say these, because Grafana looks for what was typed in the words', async () => {
    expect((await values([[quay]], typed('quay-1'))).data).toEqual([{ text: 'North quay (quay-1)', value: 'quay-1' }]);
    expect((await values([[quay]], typed('quay north'))).data).toEqual([{ text: 'North quay', value: 'quay-1' }]);
    expect((await values([[quay]], {})).data).toEqual([{ text: 'North quay', value: 'quay-1' }]);
  });
  it('keep what is chosen though it is not among the first', async () => {
    const { data, asked } = await values([many, [{ value: 'zoo-10', label: 'Zoo 10' }, { value: 'zoo-1', label: 'Zoo' }], []], chosen(['zoo-1', 's-7', 'gone']), { districts: ['$district'] });
    expect(data).toHaveLength(1001);
    expect(data[0]).toEqual({ text: 'Zoo', value: 'zoo-1' });
    expect(asked.slice(1)).toEqual([['sensors', { district: ['harbour'], limit: 1000, q: 'zoo-1' }], ['sensors', { district: ['harbour'], limit: 1000, q: 'gone' }]]);
    expect((await values([many], chosen('$__all'))).asked).toHaveLength(1);
  });
  it('are none where the variable that they depend on is empty', async () => {
    const { datasource, asked } = source({ getVariables: () => [], replace: (_text, _scoped, format) => format!('') });
    const request = { targets: [{ refId: 'v', list: 'sensors', sites: ['$site'] }], scopedVars: {} } as unknown as DataQueryRequest<LamppostVariableQuery>;
    expect((await firstValueFrom((datasource.variables as unknown as LamppostVariables).query(request))).data).toEqual([]);
    expect(asked).not.toHaveBeenCalled();
  });
});

it('offers labels and their values to ad hoc filters, and only those that fit the others', async () => {
  const { datasource, asked } = source();
  expect((await datasource.getTagKeys()).map((k) => k.text)).toEqual(['district', 'site', 'sensor', 'quantity', 'domain', 'channel']);
  const filters = [{ key: 'district', operator: '=', value: 'harbour' }, { key: 'site', operator: '!=', value: 'quay-2' }];
  expect(await datasource.getTagValues({ key: 'sensor', filters })).toEqual([{ text: 'North quay (quay-1)', value: 'quay-1' }, { text: 'x', value: 'x' }]);
  expect(asked).toHaveBeenCalledWith('sensors', { district: ['harbour'], limit: 1000 });
});

it('asks for events where an annotation is wanted, whatever the query was', () => {
  const { datasource } = source();
  const annotation = { name: 'Silences', target: { refId: 'Anno', kind: 'history', districts: ['harbour'] } as LamppostQuery } as never;
  expect(datasource.annotations?.prepareQuery?.(annotation)).toEqual({ refId: 'Anno', kind: 'events', districts: ['harbour'] });
});

describe('titles of what is chosen', () => {
  it('are looked up once for a query that was loaded', async () => {
    const { datasource, asked } = source();
    expect(datasource.title('sites', 'quay-1')).toBe('quay-1');
    expect(await datasource.learn('sites', ['quay-1', '$site', 'gone'])).toBe(true);
    expect(asked.mock.calls).toEqual([['sites', { id: ['quay-1', 'gone'], limit: 2 }]]);
    expect(['quay-1', '$site', 'gone'].map((name) => datasource.title('sites', name))).toEqual(['North quay', '$site', 'gone']);
    expect(await datasource.learn('sites', ['quay-1', 'gone'])).toBe(false);
    expect(asked).toHaveBeenCalledTimes(1);
  });
  it('are known of what was offered', async () => {
    const { datasource, asked } = source();
    await datasource.offered('sites', {}, 'quay');
    expect(await datasource.learn('sites', ['quay-1'])).toBe(false);
    expect(datasource.title('sites', 'quay-1')).toBe('North quay');
    expect(asked).toHaveBeenCalledTimes(1);
  });
  it('are asked for again where the server was away', async () => {
    const { datasource, asked } = source();
    asked.mockRejectedValueOnce(new Error('away'));
    expect(await datasource.learn('sites', ['quay-1'])).toBe(false);
    expect(await datasource.learn('sites', ['quay-1'])).toBe(true);
  });
});

it('offers an editor all quantities, those that are measured first', async () => {
  const { datasource, asked } = source();
  await datasource.offered('quantities', { districts: ['$district'] }, 'sp');
  expect(asked).toHaveBeenCalledWith('quantities', { district: ['harbour'], all: 'true', limit: 1000, q: 'sp' });
});

it('says what the Live button of Explore leaves out, once for each query', async () => {
  const frames = ['A', 'A', 'B'].map((refId) => toDataFrame({ refId, fields: [] }));
  const asked = jest.spyOn(DataSourceWithBackend.prototype, 'query').mockImplementation(() => of({ data: frames }));
  const { datasource } = source();
  const targets: LamppostQuery[] = [
    { refId: 'A', kind: 'history', quantities: ['speed'], group: ['site'], compare: ['day'], aggregate: 'sum', whole: true },
    { refId: 'B', kind: 'history', quantities: ['speed'], aggregate: 'max', group: [] },
  ];
  const notices = async (liveStreaming: boolean) => {
    const { data } = await firstValueFrom(datasource.query({ targets, liveStreaming } as unknown as DataQueryRequest<LamppostQuery>));
    return (data as DataFrame[]).map((f) => f.meta?.notices?.map((n) => n.text));
  };
  expect(await notices(true)).toEqual([['Live shows single readings and leaves out what was chosen under A line for each, Compare with, Combined by'], undefined, undefined]);
  expect(await notices(false)).toEqual([undefined, undefined, undefined]);
  asked.mockRestore();
});

it('goes on live where the Live button of Explore asks for it', () => {
  const asked = jest.spyOn(DataSourceWithBackend.prototype, 'query').mockReturnValue(of({ data: [] }));
  const { datasource } = source();
  const targets: LamppostQuery[] = [{ refId: 'A', kind: 'history', quantities: ['speed'], group: ['site'], compare: ['day'] }, { refId: 'B', kind: 'pipeline' }];
  for (const [liveStreaming, want] of [[true, [{ refId: 'A', kind: 'history', quantities: ['speed'], live: true }, targets[1]]], [false, targets]] as const) {
    datasource.query({ targets, liveStreaming } as unknown as DataQueryRequest<LamppostQuery>);
    expect(asked.mock.lastCall?.[0].targets).toEqual(want);
  }
  asked.mockRestore();
});

describe('a query that names an empty variable', () => {
  const ask = (targets: LamppostQuery[]) => {
    const refs: string[] = [];
    const asked = jest.spyOn(DataSourceWithBackend.prototype, 'query').mockImplementation(({ targets }: DataQueryRequest) => {
      refs.push(...targets.map(({ refId }) => refId));
      return of({ data: targets.map(({ refId }) => toDataFrame({ refId, fields: [] })) });
    });
    const { datasource } = source({ getVariables: () => [], replace: (text, _scoped, format) => (text === '$sensor' ? format!([] as string[]) : text) });
    const answer = firstValueFrom(datasource.query({ targets } as DataQueryRequest<LamppostQuery>)).then(({ data }) => (data as DataFrame[]).map((f) => `${f.refId ?? ''} ${f.meta?.notices?.[0]?.text ?? ''}`));
    asked.mockRestore();
    return { answer, refs };
  };
  const empty: LamppostQuery = { refId: 'A', kind: 'history', quantities: ['water_level'], sensors: ['$sensor'] };

  it('is answered with nothing and says why, and the backend is not asked', async () => {
    const { answer, refs } = ask([empty, { ...empty, refId: 'B', hide: true }]);
    expect(await answer).toEqual(['A The variable $sensor is empty, so there is nothing to show']);
    expect(refs).toEqual([]);
  });
  it('leaves the others beside it', async () => {
    const { answer, refs } = ask([empty, { ...empty, refId: 'B', sensors: ['cam-1'] }]);
    expect(await answer).toEqual(['B ', 'A The variable $sensor is empty, so there is nothing to show']);
    expect(refs).toEqual(['B']);
  });
  it('is no annotation', async () => {
    expect(await ask([{ refId: 'Anno', kind: 'events', sensors: ['$sensor'] }]).answer).toEqual([]);
  });
});

it('offers ad hoc filters the quantities that are measured first', async () => {
  const { datasource, asked } = source();
  asked.mockResolvedValueOnce({ items: [{ value: 'speed', label: 'Mean speed' }, { value: 'la10', label: 'LA10', group: 'Not measured here' }], total: 2 });
  expect(await datasource.getTagValues({ key: 'quantity', filters: [{ key: 'district', operator: '=', value: 'harbour' }] })).toEqual([
    { text: 'Mean speed (speed)', value: 'speed' },
    { text: 'LA10 (la10)', value: 'la10', group: 'Not measured here' },
  ]);
  expect(asked).toHaveBeenCalledWith('quantities', { district: ['harbour'], all: 'true', limit: 1000 });
});

describe('an answer without rows', () => {
  const column = (values: string[]) => toDataFrame({ refId: 'A', meta: { executedQueryString: 'GET x' }, fields: [{ name: 'sensor', values }] });
  const answered = async (panelPluginId: string | undefined, ...frames: DataFrame[]) => {
    const { datasource } = source();
    jest.spyOn(DataSourceWithBackend.prototype, 'query').mockReturnValue(of({ data: frames }));
    const request = { targets: [{ refId: 'A', kind: 'latest' }], scopedVars: {}, ...(panelPluginId ? { panelPluginId } : {}) } as unknown as DataQueryRequest<LamppostQuery>;
    return (await firstValueFrom(datasource.query(request))).data as DataFrame[];
  };
  afterEach(() => jest.restoreAllMocks());

  it('has no headers in a table, which then says that it is empty, and still says what was asked', async () => {
    const [frame] = await answered('table', column([]));
    expect(frame?.fields).toEqual([]);
    expect(frame?.meta?.executedQueryString).toBe('GET x');
  });
  it('keeps its columns where another query of the table has rows', async () => {
    expect((await answered('table', column([]), column(['cam-1']))).map((f) => f.fields.length)).toEqual([1, 1]);
  });
  it.each(['state-timeline', 'status-history'])('has no frame in a %s, unless a notice says why', async (panel) => {
    expect(await answered(panel, column([]))).toEqual([]);
    const noticed = { ...column([]), meta: { notices: [{ severity: 'info' as const, text: 'no step is whole' }] } };
    expect(await answered(panel, column([]), noticed)).toEqual([noticed]);
    expect(await answered(panel, column([]), column(['cam-1']))).toHaveLength(2);
  });
  it.each(['stat', undefined])('keeps its columns for whoever counts them: %s', async (panel) => {
    expect((await answered(panel, column([])))[0]?.fields).toHaveLength(1);
  });
});
