import { Combobox, InlineField } from '@grafana/ui';
import React from 'react';
import { type Pick } from '../rules';

interface Props {
  label: string;
  tooltip?: string;
  id: string;
  options: Pick[];
  value: string;
  onChange: (value: string) => void;
  width?: number;
}

/** One of a few values. */
export function One({ label, tooltip, id, options, value, onChange, width = 24 }: Props) {
  return (
    <InlineField label={label} labelWidth={16} htmlFor={id} {...(tooltip ? { tooltip } : {})}>
      <Combobox id={id} options={options} value={value} onChange={(option) => onChange(option.value)} width={width} />
    </InlineField>
  );
}
