import {
  type AdHocVariableFilter,
  CoreApp,
  type DataQueryRequest,
  type DataQueryResponse,
  type DataSourceGetTagValuesOptions,
  type DataSourceInstanceSettings,
  type MetricFindValue,
  type ScopedVars,
} from '@grafana/data';
import { DataSourceWithBackend, getGrafanaLiveSrv, getTemplateSrv } from '@grafana/runtime';
import { type Observable, switchMap } from 'rxjs';
import { AnnotationEditor } from './components/AnnotationEditor';
import { interpolated, listParams, variableName, type Variables } from './interpolate';
import { follow } from './live';
import { DOMAINS, lacks, streamed } from './rules';
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
    return super.query(asked).pipe(switchMap((answer) => follow(answer, asked, this.uid, getGrafanaLiveSrv())));
  }

  override getDefaultQuery(app: CoreApp): Partial<LamppostQuery> {
    return app === CoreApp.Explore ? { kind: 'latest' } : { kind: 'history' };
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
