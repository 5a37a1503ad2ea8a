import { Combobox, InlineField } from '@grafana/ui';
import React, { useMemo } from 'react';
import { type LamppostDatasource } from '../datasource';
import { type LamppostQuery } from '../types';

interface Props {
  datasource: LamppostDatasource;
  id: string;
  query: LamppostQuery;
  onChange: (channel: string | undefined) => void;
}

/** One channel, of those that the chosen sensors have. */
export function Channel({ datasource, id, query, onChange }: Props) {
  const { quantities, domains, districts, sites, sensors } = query;
  const options = useMemo(
    () => async (search: string) => {
      const of = { ...(quantities && { quantities }), ...(domains && { domains }), ...(districts && { districts }), ...(sites && { sites }), ...(sensors && { sensors }) };
      return (await datasource.choices('channels', of, search)).map(({ value, label }) => ({ value, label }));
    },
    [datasource, quantities, domains, districts, sites, sensors]
  );
  return (
    <InlineField label="Channel" labelWidth={16} tooltip="One of several alike within a sensor, such as a lane; all of them without a choice" htmlFor={id}>
      <Combobox
        id={id}
        options={options}
        value={query.channel ? { value: query.channel, label: query.channel } : null}
        placeholder="All"
        isClearable
        onChange={(option: { value: string } | null) => onChange(option?.value)}
        width={24}
      />
    </InlineField>
  );
}
