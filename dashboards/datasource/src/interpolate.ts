import { type AdHocVariableFilter, type QueryVariableModel, type ScopedVars, type TypedVariableModel } from '@grafana/data';
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

/** How many names a list may hold; the backend takes no more. */
const MAX_NAMES = 1000;

/** The variable of which all is chosen; undefined where names are. */
function allOf(variables: Variables, name: string, scopedVars?: ScopedVars): QueryVariableModel | undefined {
  if (scopedVars && name in scopedVars) {
    return undefined;
  }
  const variable = variables.getVariables().find((v) => v.name === name);
  if (!variable || !('current' in variable)) {
    return undefined;
  }
  const value = (variable.current as { value?: unknown } | undefined)?.value;
  return value === ALL || (Array.isArray(value) && value.includes(ALL)) ? (variable as QueryVariableModel) : undefined;
}

/**
 * Whether all of a variable is all there is, and need not be spelled out: a list of ours that depends on nothing, or only on what
 * the query names as well. All of any other is what it lists.
 */
function isEverything(variable: QueryVariableModel, query: Partial<LamppostVariableQuery>, variables: Variables, scopedVars?: ScopedVars): boolean {
  if (variable.allValue) {
    return ['*', '.*', '.+'].includes(variable.allValue);
  }
  const of = variable.query as LamppostVariableQuery | string | undefined;
  if (typeof of !== 'object' || of.list === undefined) {
    return false;
  }
  // What is measured is measured somewhere: only domains make less than everything of quantities.
  const lists = of.list === 'sites' || of.list === 'sensors' ? NAME_LISTS : of.list === 'quantities' ? (['domains'] as const) : [];
  // Without the variable itself: those that depend on each other would never come to an end.
  const others: Variables = { replace: (...args) => variables.replace(...args), getVariables: () => variables.getVariables().filter((v) => v.name !== variable.name) };
  return lists.every((list) => JSON.stringify(of[list] ?? []) === JSON.stringify(query[list] ?? []) || chosen(of[list], of, others, scopedVars).names.length === 0);
}

/** What a list of names comes to: names, none of them for all there is; or why it comes to nothing. */
interface Chosen {
  names: string[];
  blank?: string;
}

function chosen(list: string[] | undefined, query: Partial<LamppostVariableQuery>, variables: Variables, scopedVars?: ScopedVars): Chosen {
  const found: string[] = [];
  let blank: string | undefined;
  for (const entry of list ?? []) {
    const name = variableName(entry);
    if (name === '') {
      found.push(entry);
      continue;
    }
    const all = allOf(variables, name, scopedVars);
    if (all && isEverything(all, query, variables, scopedVars)) {
      return { names: [] };
    }
    const values: string[] = [];
    const rest = variables.replace(entry, scopedVars, (value) => {
      values.push(...(Array.isArray(value) ? value : [value]));
      return '';
    });
    const given = [...values, rest].filter((value) => value !== '');
    if (given.length === 0) {
      blank ??= all ? `The variable ${entry} has nothing to choose from` : `The variable ${entry} is empty`;
    } else if (all && given.length >= MAX_NAMES) {
      blank ??= `All of the variable ${entry} are more than can be named at once: choose some`;
    } else {
      found.push(...given);
    }
  }
  if (found.includes(ALL) || found.includes('*')) {
    return { names: [] };
  }
  // Without any name a list would choose everything: what is left for the backend to refuse are the variables.
  return blank !== undefined && found.length === 0 ? { names: list ?? [], blank } : { names: [...new Set(found.filter((name) => name !== ''))] };
}

/** The names of a list with variables replaced by what is chosen. A variable without a value is left, for the backend to name it. */
export function names(list: string[] | undefined, variables: Variables, scopedVars?: ScopedVars, query: Partial<LamppostVariableQuery> = {}): string[] {
  return chosen(list, query, variables, scopedVars).names;
}

/** Why a query can only be answered with nothing: a variable that it names is empty, which must not choose everything. '' if it can be asked. */
export function blank(query: Partial<LamppostVariableQuery> & Pick<LamppostQuery, 'channel' | 'around'>, variables: Variables, scopedVars?: ScopedVars): string {
  const lists = [...NAME_LISTS.map((list) => query[list]), query.channel ? [query.channel] : []];
  for (const list of lists) {
    const why = chosen(list, query, variables, scopedVars).blank;
    if (why !== undefined) {
      return why;
    }
  }
  // What is one only must not become the first of several, nor the middle of an area be everywhere.
  if (query.channel && names([query.channel], variables, scopedVars).length > 1) {
    return `The variable ${query.channel} has several values, and only one channel can be shown`;
  }
  const site = query.around?.site;
  if (site) {
    const { names: sites, blank: why } = chosen([site], {}, variables, scopedVars);
    return why ?? (sites.length === 1 ? '' : `The variable ${site} is more than one site, and an area is around one`);
  }
  return '';
}

/** The query with all variables replaced and the dashboard's filters added. */
export function interpolated(query: LamppostQuery, variables: Variables, scopedVars?: ScopedVars, filters?: AdHocVariableFilter[]): LamppostQuery {
  const next: LamppostQuery = { ...query };
  for (const list of NAME_LISTS) {
    if (query[list]) {
      next[list] = names(query[list], variables, scopedVars, query);
    }
  }
  if (query.channel) {
    next.channel = names([query.channel], variables, scopedVars)[0] ?? '';
  }
  if (query.around?.site) {
    const [site] = names([query.around.site], variables, scopedVars);
    next.around = { ...query.around, ...(site ? { site } : {}) };
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
    const known = names(list, variables, scopedVars, of).filter((name) => variableName(name) === '');
    if (known.length > 0) {
      params[key] = known;
    }
  }
  return params;
}
