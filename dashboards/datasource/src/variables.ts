import { CustomVariableSupport, type DataQueryRequest, type DataQueryResponse, type ScopedVars } from '@grafana/data';
import { from, map, type Observable } from 'rxjs';
import { VariableEditor } from './components/VariableEditor';
import { type LamppostDatasource } from './datasource';
import { blank } from './interpolate';
import { type Choice, type LamppostVariableQuery } from './types';

/** How many values a variable offers at once; the search reaches all others. */
const MAX_VALUES = 1000;

/** How many chosen values are looked up that are not among those. */
const MAX_KEPT = 20;

/** Variables that list districts, sites, sensors, quantities, channels or domains. */
export class LamppostVariables extends CustomVariableSupport<LamppostDatasource, LamppostVariableQuery> {
  override editor = VariableEditor;

  constructor(private readonly datasource: LamppostDatasource) {
    super();
  }

  override query = (request: DataQueryRequest<LamppostVariableQuery>): Observable<DataQueryResponse> => {
    const search = (request.scopedVars.__searchFilter?.value as string | undefined) ?? '';
    return from(this.values(request.targets[0], search, request.scopedVars)).pipe(
      map((items) => ({ data: items.map((c) => ({ text: found(c, search), value: c.value })) }))
    );
  };

  private async values(query: LamppostVariableQuery | undefined, search: string, scopedVars: ScopedVars): Promise<Choice[]> {
    if (query && blank(query, this.datasource.templates, scopedVars) !== '') {
      return []; // what depends on nothing is nothing
    }
    const ask = (q: string, limit: number) => this.datasource.choices(query?.list ?? 'districts', query ?? {}, q, limit, scopedVars);
    const items = await ask(search, MAX_VALUES);
    if (search !== '' || items.length < MAX_VALUES) {
      return items;
    }
    // Grafana drops what is chosen if it is not on offer: what was found by a search would be gone with the next load.
    const offered = new Set(items.map((c) => c.value));
    const missing = current(scopedVars).filter((value) => !offered.has(value)).slice(0, MAX_KEPT);
    const kept = await Promise.all(missing.map(async (value) => (await ask(value, MAX_VALUES)).filter((c) => c.value === value)));
    return [...kept.flat(), ...items];
  }
}

/** What is chosen of the variable that is asked for. */
function current(scopedVars: ScopedVars): string[] {
  const wrapped = scopedVars.__sceneObject?.value as { valueOf(): unknown } | undefined;
  const value = (wrapped?.valueOf() as { state?: { value?: unknown } } | undefined)?.state?.value;
  return (Array.isArray(value) ? value : [value]).filter((v): v is string => typeof v === 'string' && v !== '' && !v.startsWith('$'));
}

/** The words for what a search found. Grafana shows only those that have what was typed: an id that was typed is said as well. */
function found(choice: Choice, search: string): string {
  const label = choice.label.toLowerCase();
  const named = search.toLowerCase().split(/\s+/).every((word) => label.includes(word));
  return named ? choice.label : `${choice.label} (${choice.value})`;
}
