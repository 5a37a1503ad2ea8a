import { type ComboboxOption, MultiCombobox } from '@grafana/ui';
import React, { useEffect, useMemo, useState } from 'react';
import { type LamppostDatasource } from '../datasource';
import { variableName } from '../interpolate';
import { type LamppostVariableQuery, type ListName, type NameList } from '../types';
import { Labelled } from './Labelled';

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
      const found = await datasource.offered(list, of, variableName(search) === '' && !search.startsWith('$') ? search : '');
      return [
        ...variableOptions(datasource, search),
        ...found.map((c) => ({ value: c.value, label: c.label, ...(c.description ? { description: c.description } : {}), ...(c.group ? { group: c.group } : {}) })),
      ];
    },
    [datasource, list, of]
  );
  const title = useTitles(datasource, list, value);
  const labelId = `${id}-label`;
  return (
    <Labelled label={label} tooltip={tooltip} labelId={labelId}>
      <MultiCombobox
        id={id}
        aria-labelledby={labelId}
        options={options}
        value={(value ?? []).map((name) => ({ value: name, label: title(name) }))}
        placeholder={placeholder}
        onChange={(picked: ComboboxOption[]) => onChange(picked.map((option) => option.value))}
        isClearable
        width="auto"
        minWidth={28}
        maxWidth={80}
      />
    </Labelled>
  );
}

/** The titles of chosen names. Those of a query that was loaded are looked up once; until then, and where there are none, a name is its own. */
export function useTitles(datasource: LamppostDatasource, list: ListName, names: string[] | undefined): (name: string) => string {
  const [, setLearned] = useState(0);
  const joined = (names ?? []).join(' '); // names have no spaces
  useEffect(() => {
    let shown = true;
    const learn = async () => {
      if ((await datasource.learn(list, joined === '' ? [] : joined.split(' '))) && shown) {
        setLearned((n) => n + 1);
      }
    };
    void learn();
    return () => {
      shown = false;
    };
  }, [datasource, list, joined]);
  return (name) => datasource.title(list, name);
}

/** The dashboard's variables, as names of a list. */
export function variableOptions(datasource: LamppostDatasource, search: string): ComboboxOption[] {
  return datasource.templates
    .getVariables()
    .filter((v) => ['query', 'custom', 'constant', 'textbox'].includes(v.type))
    .map((v) => ({ value: `$${v.name}`, label: `$${v.name}`, description: 'A variable of this dashboard' }))
    .filter((option) => option.value.toLowerCase().includes(search.toLowerCase()));
}
