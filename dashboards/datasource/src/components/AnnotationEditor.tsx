import { type AnnotationQuery, type QueryEditorProps } from '@grafana/data';
import React from 'react';
import { type LamppostDatasource } from '../datasource';
import { changed } from '../rules';
import { type LamppostOptions, type LamppostQuery } from '../types';
import { How } from './How';
import { Where } from './Where';

type Props = QueryEditorProps<LamppostDatasource, LamppostQuery, LamppostOptions> & {
  annotation?: AnnotationQuery<LamppostQuery>;
  onAnnotationChange?: (annotation: AnnotationQuery<LamppostQuery>) => void;
};

/** Which events are drawn into panels. */
export function AnnotationEditor({ datasource, query, onChange, annotation, onAnnotationChange }: Props) {
  const target: LamppostQuery = { ...(annotation?.target ?? query), kind: 'events' };
  const change = (part: Partial<LamppostQuery>) => {
    const next = changed(target, part);
    if (annotation && onAnnotationChange) {
      onAnnotationChange({ ...annotation, target: next });
    } else {
      onChange(next);
    }
  };
  return (
    <div>
      <How id="lamppost-annotation" query={target} change={change} />
      <Where datasource={datasource} id="lamppost-annotation" query={target} change={change} />
    </div>
  );
}
