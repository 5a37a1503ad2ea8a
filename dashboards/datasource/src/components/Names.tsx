import { type ComboboxOption, InlineField, MultiCombobox } from '@grafana/ui';
import React, { useMemo } from 'react';
import { type LamppostDatasource } from '../datasource';
import { variableName } from '../interpolate';
import { type LamppostVariableQuery, type ListName, type NameList } from '../types';

interface Props {
  datasource: LamppostDatasource;
  /** Which list is picked from. */
  list: NameList & ListName;
  label: string;
  tooltip: string;
  id: string;
  placeholder: string;
  value: string[] | undefined;
  /** What else is chosen: only what fits it is offered. */
  of: Partial<LamppostVariableQuery>;
  onChange: (names: string[]) => void;
}

/** Names that are picked from a list which the server searches, or variables of the dashboard. */
export function Names({ datasource, list, label, tooltip, id, placeholder, value, of, onChange }: Props) {
  const options = useMemo(
    () => async (search: string) => {
      const found = await datasource.choices(list, of, variableName(search) === '' && !search.startsWith('$') ? search : '');
      return [...variableOptions(datasource, search), ...found.map((c) => ({ value: c.value, label: c.label, ...(c.description ? { description: c.description } : {}) }))];
    },
    [datasource, list, of]
  );
  return (
    <InlineField label={label} labelWidth={16} tooltip={tooltip} htmlFor={id}>
      <MultiCombobox
        id={id}
        options={options}
        value={(value ?? []).map((name) => ({ value: name, label: name }))}
        placeholder={placeholder}
        onChange={(picked: ComboboxOption[]) => onChange(picked.map((option) => option.value))}
        isClearable
        width="auto"
        minWidth={28}
        maxWidth={80}
      />
    </InlineField>
  );
}

/** The dashboard's variables, as names of a list. */
function variableOptions(datasource: LamppostDatasource, search: string): ComboboxOption[] {
  return datasource.templates
    .getVariables()
    .filter((v) => ['query', 'custom', 'constant', 'textbox'].includes(v.type))
    .map((v) => ({ value: `$${v.name}`, label: `$${v.name}`, description: 'A variable of this dashboard' }))
    .filter((option) => option.value.toLowerCase().includes(search.toLowerCase()));
}
