import { type QueryEditorProps } from '@grafana/data';
import { Alert, InlineField, InlineFieldRow, RadioButtonGroup } from '@grafana/ui';
import React, { useMemo } from 'react';
import { type LamppostDatasource } from '../datasource';
import { changed, DOMAINS, type Field, fieldsOf, isAlerting, kindOf, KINDS, lacks, viewOf, viewsOf } from '../rules';
import { type LamppostOptions, type LamppostQuery } from '../types';
import { Channel } from './Channel';
import { How } from './How';
import { Names } from './Names';
import { Several } from './Several';
import { Where } from './Where';

type Props = QueryEditorProps<LamppostDatasource, LamppostQuery, LamppostOptions>;

/** What alert rules have no choice of. */
const WITHOUT: Field[] = ['live', 'whole'];

/** A question, put together from what there is. Nothing needs to be typed, and what does not go together is not offered. */
export function QueryEditor({ datasource, query, onChange, onRunQuery, app }: Props) {
  const id = `lamppost-${query.refId}`;
  const change = (part: Partial<LamppostQuery>) => {
    const next = changed(query, part);
    onChange(next);
    if (lacks(next) === '') {
      onRunQuery();
    }
  };
  const kind = kindOf(query);
  const alerting = isAlerting(app);
  const kinds = alerting ? KINDS.filter(({ value }) => value === 'history' || value === 'ledger' || value === kind) : KINDS;
  const views = viewsOf(query, alerting);
  const fields = fieldsOf(query);
  const { sensors, sites, districts, domains } = query;
  const ofQuantities = useMemo(
    () => ({ ...(sensors && { sensors }), ...(sites && { sites }), ...(districts && { districts }), ...(domains && { domains }) }),
    [sensors, sites, districts, domains]
  );
  const lacking = lacks(query);
  return (
    <div>
      <InlineFieldRow>
        <InlineField label="Question" labelWidth={16}>
          <RadioButtonGroup aria-label="Question" options={kinds} value={kind} onChange={(value) => change(alerting && value === 'ledger' ? { kind: value, view: 'steps' } : { kind: value })} />
        </InlineField>
        {views.length > 0 && (
          <InlineField label="Shown" labelWidth={10}>
            <RadioButtonGroup aria-label="Shown" options={views} value={viewOf(query)} onChange={(view) => change({ view })} />
          </InlineField>
        )}
      </InlineFieldRow>
      <InlineFieldRow>
        {fields.has('quantities') && (
          <Names datasource={datasource} list="quantities" label="Quantities" tooltip="What was measured" placeholder={kind === 'history' ? 'Choose' : 'All'} id={`${id}-quantities`} value={query.quantities} of={ofQuantities} onChange={(names) => change({ quantities: names })} />
        )}
        {fields.has('domains') && <Several label="Domains" tooltip="Only quantities of these" placeholder="All" id={`${id}-domains`} options={DOMAINS} value={domains} onChange={(names) => change({ domains: names })} />}
        {fields.has('channel') && <Channel datasource={datasource} id={`${id}-channel`} query={query} onChange={(channel) => change({ channel })} />}
      </InlineFieldRow>
      <Where datasource={datasource} id={id} query={query} change={change} />
      {/* An alert rule never looks at a step that is not over. */}
      <How id={id} query={query} change={change} {...(alerting ? { without: WITHOUT } : {})} />
      {lacking !== '' && <Alert severity="info" title={lacking} />}
    </div>
  );
}
