import { InlineField, InlineFieldRow, InlineSwitch } from '@grafana/ui';
import React from 'react';
import { aggregatesOf, COMPARISONS, COUNTERS, EVENTS, type Field, fieldsOf, GROUPS, kindOf, LEDGER_STEPS, LIMITS, SORTS, STATES, STEPS } from '../rules';
import { type LamppostQuery } from '../types';
import { One } from './One';
import { Several } from './Several';

interface Props {
  id: string;
  query: LamppostQuery;
  change: (change: Partial<LamppostQuery>) => void;
  /** Fields that mean nothing where the query is used. */
  without?: Field[];
}

/** How the answer is made: steps, groups, comparisons, order. What does not go with the rest of the query is not shown. */
export function How({ id, query, change, without = [] }: Props) {
  const fields = fieldsOf(query);
  without.forEach((field) => fields.delete(field));
  const steps = kindOf(query) === 'ledger' ? LEDGER_STEPS : STEPS;
  const own = query.step && !steps.some((s) => s.value === query.step) ? [{ value: query.step, label: query.step }] : [];
  return (
    <InlineFieldRow>
      {fields.has('step') && <One label="Step" tooltip="How long each point stands for" id={`${id}-step`} options={[...steps, ...own]} value={query.step ?? ''} onChange={(step) => change({ step })} />}
      {fields.has('aggregate') && <One label="Combined by" tooltip="How the readings of a step become one" id={`${id}-aggregate`} options={aggregatesOf(query)} value={query.aggregate ?? ''} onChange={(aggregate) => change({ aggregate })} />}
      {fields.has('group') && <Several label="A line for each" tooltip="Combine over everything else; without a choice, each sensor and channel" placeholder="sensor and channel" id={`${id}-group`} options={GROUPS} value={query.group} onChange={(group) => change({ group })} />}
      {fields.has('compare') && <Several label="Compare with" tooltip="The same, earlier" placeholder="nothing" id={`${id}-compare`} options={COMPARISONS} value={query.compare} onChange={(compare) => change({ compare })} />}
      {fields.has('states') && <Several label="State" tooltip="Only sensors in these states" placeholder="any" id={`${id}-states`} options={STATES} value={query.states} onChange={(states) => change({ states })} />}
      {fields.has('events') && <Several label="Events" tooltip="Only these" placeholder="all" id={`${id}-events`} options={EVENTS} value={query.events} onChange={(events) => change({ events })} />}
      {fields.has('counters') && <Several label="Counters" tooltip="Only these of what the ledger counts" placeholder="all" id={`${id}-counters`} options={COUNTERS} value={query.counters} onChange={(counters) => change({ counters })} />}
      {fields.has('sort') && <One label="Order" id={`${id}-sort`} options={SORTS} value={query.sort ?? ''} onChange={(sort) => change({ sort })} />}
      {fields.has('limit') && <One label="Rows" id={`${id}-limit`} options={[{ value: '', label: 'All' }, ...LIMITS]} value={query.limit ? String(query.limit) : ''} onChange={(limit) => change({ limit: limit === '' ? undefined : Number(limit) })} />}
      {fields.has('gaps') && <Toggle id={`${id}-gaps`} label="Show gaps" tooltip="Break the line where a step has no reading" value={query.gaps} onChange={(gaps) => change({ gaps })} />}
      {fields.has('whole') && <Toggle id={`${id}-whole`} label="Whole steps only" labelWidth={20} tooltip="Leave out the first and the last step where they are not over: a sum over a part looks like a fall" value={query.whole} onChange={(whole) => change({ whole })} />}
      {fields.has('live') && <Toggle id={`${id}-live`} label="Live" tooltip="Go on with readings as they come. They are not combined, so groups and comparisons go" value={query.live} onChange={(live) => change({ live })} />}
    </InlineFieldRow>
  );
}

interface ToggleProps {
  id: string;
  label: string;
  labelWidth?: number;
  tooltip: string;
  value: boolean | undefined;
  onChange: (on: boolean) => void;
}

function Toggle({ id, label, labelWidth = 16, tooltip, value, onChange }: ToggleProps) {
  return (
    <InlineField label={label} labelWidth={labelWidth} tooltip={tooltip} htmlFor={id}>
      <InlineSwitch id={id} value={value ?? false} onChange={(event) => onChange(event.currentTarget.checked)} />
    </InlineField>
  );
}
