import { type AdHocVariableFilter, type ScopedVars, type TypedVariableModel } from '@grafana/data';
import { NAME_LISTS, type Filter, type LamppostQuery, type LamppostVariableQuery } from './types';

/** What is used of Grafana's variables. */
export interface Variables {
  replace(target: string, scopedVars?: ScopedVars, format?: (value: string | string[]) => string): string;
  getVariables(): TypedVariableModel[];
}

const ALL = '$__all';
const REFERENCE = /^\$(\w+)$|^\$\{(\w+)(?::\w+)?\}$|^\[\[(\w+)(?::\w+)?\]\]$/;

/** The name of the variable that a text refers to; '' if it is a plain name. */
export function variableName(text: string): string {
  const found = REFERENCE.exec(text);
  return found?.[1] ?? found?.[2] ?? found?.[3] ?? '';
}

/** Whether all is chosen of a variable, which is no restriction and need not be spelled out. */
function isAll(variables: Variables, name: string, scopedVars?: ScopedVars): boolean {
  if (scopedVars && name in scopedVars) {
    return false;
  }
  const variable = variables.getVariables().find((v) => v.name === name);
  if (!variable || !('current' in variable)) {
    return false;
  }
  const value = (variable.current as { value?: unknown } | undefined)?.value;
  return value === ALL || (Array.isArray(value) && value.includes(ALL));
}

/** The names of a list with variables replaced by what is chosen. A variable without a value is left, for the backend to name it. */
export function names(list: string[] | undefined, variables: Variables, scopedVars?: ScopedVars): string[] {
  const all: string[] = [];
  for (const entry of list ?? []) {
    const name = variableName(entry);
    if (name === '') {
      all.push(entry);
      continue;
    }
    if (isAll(variables, name, scopedVars)) {
      return [];
    }
    const chosen: string[] = [];
    const rest = variables.replace(entry, scopedVars, (value) => {
      chosen.push(...(Array.isArray(value) ? value : [value]));
      return '';
    });
    all.push(...chosen, ...(rest === '' ? [] : [rest]));
  }
  if (all.includes(ALL) || all.includes('*')) {
    return [];
  }
  return [...new Set(all.filter((name) => name !== ''))];
}

/** The query with all variables replaced and the dashboard's filters added. */
export function interpolated(query: LamppostQuery, variables: Variables, scopedVars?: ScopedVars, filters?: AdHocVariableFilter[]): LamppostQuery {
  const next: LamppostQuery = { ...query };
  for (const list of NAME_LISTS) {
    if (query[list]) {
      next[list] = names(query[list], variables, scopedVars);
    }
  }
  if (query.channel) {
    next.channel = names([query.channel], variables, scopedVars)[0] ?? '';
  }
  if (query.search) {
    next.search = variables.replace(query.search, scopedVars);
  }
  if (query.step) {
    next.step = variables.replace(query.step, scopedVars);
  }
  const own: Filter[] = (filters ?? []).map(({ key, operator, value, values }) => ({ key, operator, value, ...(values ? { values } : {}) }));
  if (own.length > 0) {
    next.filters = [...(query.filters ?? []), ...own];
  }
  return next;
}

/** The parameters of a list that a variable or an editor asks the backend for. */
export function listParams(
  of: Pick<LamppostVariableQuery, 'districts' | 'sites' | 'sensors' | 'quantities' | 'domains'>,
  variables: Variables,
  scopedVars?: ScopedVars
): Record<string, string[]> {
  const params: Record<string, string[]> = {};
  for (const [key, list] of [
    ['district', of.districts],
    ['site', of.sites],
    ['sensor', of.sensors],
    ['quantity', of.quantities],
    ['domain', of.domains],
  ] as const) {
    // A variable that has no value yet restricts nothing: the list shows what there is.
    const chosen = names(list, variables, scopedVars).filter((name) => variableName(name) === '');
    if (chosen.length > 0) {
      params[key] = chosen;
    }
  }
  return params;
}
