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
import { interpolated, listParams, type Variables } from './interpolate';
import { follow } from './live';
import { DOMAINS, lacks } from './rules';
import { type Choice, type Choices, type LamppostOptions, type LamppostQuery, type LamppostVariableQuery, type ListName } from './types';
import { LamppostVariables } from './variables';

/** The lists that ad hoc filters choose from, by label. */
const LABELS: Record<string, ListName> = { district: 'districts', site: 'sites', sensor: 'sensors', quantity: 'quantities', domain: 'domains', channel: 'channels' };

/** The browser's side of the data source: it replaces variables and goes on with live readings. The backend does the rest. */
export class LamppostDatasource extends DataSourceWithBackend<LamppostQuery, LamppostOptions> {
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
    return super.query(request).pipe(switchMap((answer) => follow(answer, request, this.uid, getGrafanaLiveSrv())));
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
    const { items } = await this.getResource<Choices>(list, params);
    return items;
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
    const items = await this.choices(list, others, '', 1000);
    return items.map((c) => ({ text: c.label === c.value ? c.value : `${c.label} (${c.value})`, value: c.value }));
  }
}
