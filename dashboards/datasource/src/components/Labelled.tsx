import { InlineField, InlineLabel } from '@grafana/ui';
import React, { type ReactNode, useRef } from 'react';

interface Props {
  label: string;
  tooltip: string;
  /** The id that the control's aria-labelledby names. */
  labelId: string;
  children: ReactNode;
}

/**
 * A field whose control takes its name from an element, because it has no id that a label could point at: so the boxes for several
 * values before Grafana 12.4. A click on the label goes to the control, as with any other.
 */
export function Labelled({ label, tooltip, labelId, children }: Props) {
  const control = useRef<HTMLDivElement>(null);
  return (
    <InlineField
      label={
        <InlineLabel width={16} tooltip={tooltip} as="span" onClick={() => control.current?.querySelector('input')?.focus()}>
          <span id={labelId}>{label}</span>
        </InlineLabel>
      }
    >
      <div ref={control}>{children}</div>
    </InlineField>
  );
}
