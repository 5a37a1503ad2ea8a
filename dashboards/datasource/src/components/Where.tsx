import { InlineFieldRow } from '@grafana/ui';
import React, { useMemo } from 'react';
import { type LamppostDatasource } from '../datasource';
import { fieldsOf } from '../rules';
import { type LamppostQuery } from '../types';
import { AreaFields } from './AreaFields';
import { Names } from './Names';

interface Props {
  datasource: LamppostDatasource;
  id: string;
  query: LamppostQuery;
  change: (change: Partial<LamppostQuery>) => void;
}

/** The places that a query is about; each list offers what fits those before it. */
export function Where({ datasource, id, query, change }: Props) {
  const fields = fieldsOf(query);
  const { districts, sites, quantities, domains } = query;
  const none = useMemo(() => ({}), []);
  const ofSites = useMemo(() => ({ ...(districts && { districts }), ...(domains && { domains }) }), [districts, domains]);
  const ofSensors = useMemo(
    () => ({ ...(districts && { districts }), ...(sites && { sites }), ...(quantities && { quantities }), ...(domains && { domains }) }),
    [districts, sites, quantities, domains]
  );
  return (
    <>
      <InlineFieldRow>
        {fields.has('districts') && (
          <Names datasource={datasource} list="districts" label="Districts" tooltip="Only sensors there" placeholder="All" id={`${id}-districts`} value={districts} of={none} onChange={(names) => change({ districts: names })} />
        )}
        {fields.has('sites') && (
          <Names datasource={datasource} list="sites" label="Sites" tooltip="Only sensors there" placeholder="All" id={`${id}-sites`} value={sites} of={ofSites} onChange={(names) => change({ sites: names })} />
        )}
        {fields.has('sensors') && (
          <Names datasource={datasource} list="sensors" label="Sensors" tooltip="Only these; type to search among all that are registered" placeholder="All" id={`${id}-sensors`} value={query.sensors} of={ofSensors} onChange={(names) => change({ sensors: names })} />
        )}
      </InlineFieldRow>
      {fields.has('area') && <AreaFields datasource={datasource} id={`${id}-area`} query={query} of={ofSites} onChange={change} />}
    </>
  );
}
