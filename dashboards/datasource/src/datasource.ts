import {
  type AdHocVariableFilter,
  CoreApp,
  type DataFrame,
  type DataQueryRequest,
  type DataQueryResponse,
  type DataSourceGetTagValuesOptions,
  type DataSourceInstanceSettings,
  LoadingState,
  type MetricFindValue,
  type ScopedVars,
  toDataFrame,
} from '@grafana/data';
import { DataSourceWithBackend, getGrafanaLiveSrv, getTemplateSrv } from '@grafana/runtime';
import { map, type Observable, of, switchMap } from 'rxjs';
import { AnnotationEditor } from './components/AnnotationEditor';
import { emptied } from './empty';
import { blank, interpolated, listParams, variableName, type Variables } from './interpolate';
import { follow } from './live';
import { DOMAINS, isAlerting, lacks, lost, streamed } from './rules';
import { type Choice, type Choices, type LamppostOptions, type LamppostQuery, type LamppostVariableQuery, type ListName } from './types';
import { LamppostVariables } from './variables';

/** The lists that ad hoc filters choose from, by label. */
const LABELS: Record<string, ListName> = { district: 'districts', site: 'sites', sensor: 'sensors', quantity: 'quantities', domain: 'domains', channel: 'channels' };

/** How many titles are looked up at once; a box shows no more. */
const MAX_TITLES = 100;

/** The browser's side of the data source: it replaces variables and goes on with live readings. The backend does the rest. */
export class LamppostDatasource extends DataSourceWithBackend<LamppostQuery, LamppostOptions> {
  /** What was asked for titles, by list and name; names without a title are there too. */
  private readonly titles = new Map<string, string>();

  constructor(
    instanceSettings: DataSourceInstanceSettings<LamppostOptions>,
    readonly templates: Variables = getTemplateSrv()
  ) {
    super(instanceSettings);
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- Grafana takes any of its three kinds of support
    this.variables = new LamppostVariables(this);
    this.annotations = {
      QueryEditor: AnnotationEditor,
      getDefaultQuery: () => ({ kind: 'events' }),
      prepareQuery: ({ target }) => ({ ...target, refId: target?.refId ?? 'Anno', kind: 'events' }),
    };
  }

  override query(request: DataQueryRequest<LamppostQuery>): Observable<DataQueryResponse> {
    const asked = request.liveStreaming ? { ...request, targets: request.targets.map(streamed) } : request;
    const asking = asked.targets.filter((target) => blank(target, this.templates, asked.scopedVars) === '');
    const words = new Map(request.liveStreaming ? request.targets.map((target) => [target.refId, lost(target)]) : []);
    if (asking.length === asked.targets.length) {
      return this.answers(asked, words);
    }
    const nothing = asked.targets.filter((target) => !asking.includes(target) && target.kind !== 'events' && this.filterQuery(target)).map((target) => this.nothing(target, asked.scopedVars));
    if (asking.length === 0) {
      return of({ data: nothing, state: LoadingState.Done });
    }
    return this.answers({ ...asked, targets: asking }, words).pipe(map((answer) => ({ ...answer, data: [...(answer.data as DataFrame[]), ...nothing] })));
  }

  /** What the backend answers, and how it goes on. The words are what an answer says of its query, by refId. */
  private answers(request: DataQueryRequest<LamppostQuery>, words: Map<string, string>): Observable<DataQueryResponse> {
    const said = (answer: DataQueryResponse) => ({ ...answer, data: noted(answer.data as DataFrame[], words) });
    return super.query(request).pipe(switchMap((answer) => follow(said(answer), request, this.uid, getGrafanaLiveSrv())), map((answer) => emptied(answer, request)));
  }

  /** The answer to a query that names an empty variable: without a name it would be about the whole city. */
  private nothing(query: LamppostQuery, scopedVars: ScopedVars): DataFrame {
    return toDataFrame({ refId: query.refId, fields: [], meta: { notices: [{ severity: 'warning', text: `${blank(query, this.templates, scopedVars)}, so there is nothing to show` }] } });
  }

  override getDefaultQuery(app: CoreApp): Partial<LamppostQuery> {
    if (app === CoreApp.Explore) {
      return { kind: 'latest' };
    }
    // Grafana lays this under what an alert rule has, whatever its kind.
    return isAlerting(app) ? { kind: 'history' } : { kind: 'history', whole: true };
  }

  override filterQuery(query: LamppostQuery): boolean {
    return !query.hide && lacks(query) === '';
  }

  override applyTemplateVariables(query: LamppostQuery, scopedVars: ScopedVars, filters?: AdHocVariableFilter[]): LamppostQuery {
    return interpolated(query, this.templates, scopedVars, filters);
  }

  override interpolateVariablesInQueries(queries: LamppostQuery[], scopedVars: ScopedVars, filters?: AdHocVariableFilter[]): LamppostQuery[] {
    return queries.map((query) => ({ ...interpolated(query, this.templates, scopedVars, filters), datasource: this.getRef() }));
  }

  /** What can be picked from a list, of what fits the names given; the server searches. */
  async choices(list: ListName, of: Partial<LamppostVariableQuery>, search = '', limit = 100, scopedVars?: ScopedVars): Promise<Choice[]> {
    if (list === 'domains') {
      return DOMAINS;
    }
    const params = { ...listParams(of, this.templates, scopedVars), limit, ...(search === '' ? {} : { q: search }) };
    return this.list(list, params);
  }

  /** What an editor offers: of quantities also those that nothing measures there, in a group of their own. */
  offered(list: ListName, of: Partial<LamppostVariableQuery>, search = ''): Promise<Choice[]> {
    if (list !== 'quantities') {
      return this.choices(list, of, search);
    }
    return this.list(list, { ...listParams(of, this.templates), all: 'true', limit: 1000, ...(search === '' ? {} : { q: search }) });
  }

  private async list(list: ListName, params: Record<string, string | number | string[]>): Promise<Choice[]> {
    const { items } = await this.getResource<Choices>(list, params);
    for (const { value, label } of items) {
      this.titles.set(`${list}/${value}`, label);
    }
    return items;
  }

  /** The title of a name, as far as it is known here. */
  title(list: ListName, name: string): string {
    return this.titles.get(`${list}/${name}`) ?? name;
  }

  /** Looks up titles of names that nobody has asked for yet. True if there is anything new. */
  async learn(list: ListName, names: string[]): Promise<boolean> {
    const unknown = names.filter((name) => variableName(name) === '' && !this.titles.has(`${list}/${name}`)).slice(0, MAX_TITLES);
    if (unknown.length === 0) {
      return false;
    }
    unknown.forEach((name) => this.titles.set(`${list}/${name}`, name));
    try {
      await this.list(list, { id: unknown, limit: unknown.length });
      return true;
    } catch {
      unknown.forEach((name) => this.titles.delete(`${list}/${name}`)); // whoever looks next asks again
      return false;
    }
  }

  override getTagKeys(): Promise<MetricFindValue[]> {
    return Promise.resolve(Object.keys(LABELS).map((text) => ({ text, value: text })));
  }

  override async getTagValues(options: DataSourceGetTagValuesOptions<LamppostQuery>): Promise<MetricFindValue[]> {
    const list = LABELS[options.key];
    if (!list) {
      return [];
    }
    const others: Partial<LamppostVariableQuery> = {};
    for (const { key, operator, value } of options.filters) {
      const other = LABELS[key];
      if (operator === '=' && key !== options.key && other && other !== 'channels') {
        others[other] = [value];
      }
    }
    // Of quantities those come first that are measured.
    const items = list === 'quantities' ? await this.offered(list, others) : await this.choices(list, others, '', 1000);
    return items.map((c) => ({ text: c.label === c.value ? c.value : `${c.label} (${c.value})`, value: c.value, ...(c.group ? { group: c.group } : {}) }));
  }
}

/** The frames, with a notice on the first of each query of which something has to be said. */
function noted(frames: DataFrame[], words: Map<string, string>): DataFrame[] {
  return frames.map((frame, i) => {
    const text = words.get(frame.refId ?? '') ?? '';
    if (text === '' || frames.findIndex((f) => f.refId === frame.refId) !== i) {
      return frame;
    }
    return { ...frame, meta: { ...frame.meta, notices: [...(frame.meta?.notices ?? []), { severity: 'info', text }] } };
  });
}
