import { CustomVariableSupport, type DataQueryRequest, type DataQueryResponse } from '@grafana/data';
import { from, map, type Observable } from 'rxjs';
import { VariableEditor } from './components/VariableEditor';
import { type LamppostDatasource } from './datasource';
import { type LamppostVariableQuery } from './types';

/** How many values a variable offers; whoever has more of something narrows it down by another variable. */
const MAX_VALUES = 1000;

/** Variables that list districts, sites, sensors, quantities, channels or domains. */
export class LamppostVariables extends CustomVariableSupport<LamppostDatasource, LamppostVariableQuery> {
  override editor = VariableEditor;

  constructor(private readonly datasource: LamppostDatasource) {
    super();
  }

  override query = (request: DataQueryRequest<LamppostVariableQuery>): Observable<DataQueryResponse> => {
    const query = request.targets[0];
    const search = (request.scopedVars.__searchFilter?.value as string | undefined) ?? '';
    return from(this.datasource.choices(query?.list ?? 'districts', query ?? {}, search, MAX_VALUES, request.scopedVars)).pipe(
      map((items) => ({ data: items.map((c) => ({ text: c.label, value: c.value })) }))
    );
  };
}
