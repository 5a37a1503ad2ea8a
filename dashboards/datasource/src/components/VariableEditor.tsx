import { type QueryEditorProps } from '@grafana/data';
import { InlineFieldRow } from '@grafana/ui';
import React, { useEffect, useMemo } from 'react';
import { type LamppostDatasource } from '../datasource';
import { DOMAINS, type Pick } from '../rules';
import { type LamppostOptions, type LamppostQuery, type LamppostVariableQuery, type ListName, SEARCH } from '../types';
import { Names } from './Names';
import { One } from './One';
import { Several } from './Several';

type Props = QueryEditorProps<LamppostDatasource, LamppostQuery, LamppostOptions, LamppostVariableQuery>;

const LISTS: Pick<ListName>[] = [
  { value: 'districts', label: 'Districts' },
  { value: 'sites', label: 'Sites' },
  { value: 'sensors', label: 'Sensors' },
  { value: 'quantities', label: 'Quantities' },
  { value: 'channels', label: 'Channels' },
  { value: 'domains', label: 'Domains' },
];

/** What each list may depend on. */
const DEPENDS: Record<ListName, readonly ('districts' | 'sites' | 'sensors' | 'quantities' | 'domains')[]> = {
  districts: [],
  sites: ['districts', 'domains'],
  sensors: ['districts', 'sites', 'quantities', 'domains'],
  quantities: ['districts', 'sites', 'sensors', 'domains'],
  channels: ['districts', 'sites', 'sensors', 'quantities', 'domains'],
  domains: [],
};

/** What a variable lists, and what that depends on: pick another variable there to make one depend on the other. */
export function VariableEditor({ datasource, query, onChange }: Props) {
  const list = query.list ?? 'districts';
  const change = (part: Partial<LamppostVariableQuery>) => {
    const next: LamppostVariableQuery = { ...query, ...part, list: part.list ?? list, refId: query.refId || 'variable', search: SEARCH };
    for (const names of ['districts', 'sites', 'sensors', 'quantities', 'domains'] as const) {
      if (!DEPENDS[next.list ?? 'districts'].includes(names) || next[names]?.length === 0) {
        // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- one of the five above
        delete next[names];
      }
    }
    onChange(next);
  };
  const complete = query.list !== undefined && query.search === SEARCH;
  useEffect(() => {
    if (!complete) {
      change({}); // a variable that was made before, or is made now, lists and searches as it is shown
    }
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once for a query
  }, [complete]);
  const none = useMemo(() => ({}), []);
  return (
    <InlineFieldRow>
      <One label="List" id="lamppost-variable-list" options={LISTS} value={list} onChange={(value) => change({ list: value as ListName })} />
      {(['districts', 'sites', 'sensors', 'quantities'] as const)
        .filter((of) => DEPENDS[list].includes(of))
        .map((of) => (
          <Names key={of} datasource={datasource} list={of} label={`Of ${of}`} tooltip="Only what fits these; a variable makes this one depend on it" placeholder="All" id={`lamppost-variable-${of}`} value={query[of]} of={none} onChange={(names) => change({ [of]: names })} />
        ))}
      {DEPENDS[list].includes('domains') && <Several label="Of domains" tooltip="Only what fits these" placeholder="All" id="lamppost-variable-domains" options={DOMAINS} value={query.domains} onChange={(names) => change({ domains: names })} />}
    </InlineFieldRow>
  );
}
