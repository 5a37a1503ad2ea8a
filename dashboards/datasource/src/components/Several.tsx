import { MultiCombobox } from '@grafana/ui';
import React from 'react';
import { type Pick } from '../rules';
import { Labelled } from './Labelled';

interface Props {
  label: string;
  tooltip: string;
  id: string;
  options: Pick[];
  placeholder: string;
  value: string[] | undefined;
  onChange: (values: string[]) => void;
}

/** Several of a few values. */
export function Several({ label, tooltip, id, options, placeholder, value, onChange }: Props) {
  const labelId = `${id}-label`;
  return (
    <Labelled label={label} tooltip={tooltip} labelId={labelId}>
      <MultiCombobox
        id={id}
        aria-labelledby={labelId}
        options={options}
        value={value ?? []}
        placeholder={placeholder}
        onChange={(picked) => onChange(picked.map((option) => option.value))}
        isClearable
        width="auto"
        minWidth={28}
        maxWidth={60}
      />
    </Labelled>
  );
}
