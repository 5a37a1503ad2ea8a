import { InlineField, MultiCombobox } from '@grafana/ui';
import React from 'react';
import { type Pick } from '../rules';

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
  return (
    <InlineField label={label} labelWidth={16} tooltip={tooltip} htmlFor={id}>
      <MultiCombobox
        id={id}
        options={options}
        value={value ?? []}
        placeholder={placeholder}
        onChange={(picked) => onChange(picked.map((option) => option.value))}
        isClearable
        width="auto"
        minWidth={28}
        maxWidth={60}
      />
    </InlineField>
  );
}
