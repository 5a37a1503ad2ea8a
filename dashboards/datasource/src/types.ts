import { type DataSourceJsonData } from '@grafana/data';
import { type DataQuery } from '@grafana/schema';

// The words are those of package question in the backend, which checks them.

export type Kind = 'history' | 'latest' | 'ledger' | 'sensors' | 'pipeline' | 'events';

export interface Area {
  west: number;
  south: number;
  east: number;
  north: number;
}

/** The part of the map around a site. The backend knows where that is. */
export interface Around {
  /** Its id, or a variable; without one the query is not complete. */
  site?: string;
  metres: number;
}

/** An ad hoc filter of the dashboard. */
export interface Filter {
  key: string;
  operator: string;
  value: string;
  values?: string[];
}

/** One question. Names may be variables of the dashboard, like $district; lists that are empty choose everything. */
export interface LamppostQuery extends DataQuery {
  kind?: Kind;
  view?: string;
  quantities?: string[];
  domains?: string[];
  districts?: string[];
  sites?: string[];
  sensors?: string[];
  area?: Area;
  /** In place of an area. */
  around?: Around;
  channel?: string;
  aggregate?: string;
  step?: string;
  group?: string[];
  compare?: string[];
  gaps?: boolean;
  /** Leaves out the first and the last step where they are not whole. */
  whole?: boolean;
  states?: string[];
  search?: string;
  sort?: string;
  /** Which counters of the ledger; all without a choice. */
  counters?: string[];
  limit?: number;
  events?: string[];
  live?: boolean;
  filters?: Filter[];
}

/** The fields of a query that are lists of names and may hold variables. */
export const NAME_LISTS = ['quantities', 'domains', 'districts', 'sites', 'sensors'] as const;
export type NameList = (typeof NAME_LISTS)[number];

export type ListName = 'districts' | 'sites' | 'sensors' | 'quantities' | 'channels' | 'domains';

/** What a variable offers: a list, of what fits the names that others chose. */
export interface LamppostVariableQuery extends DataQuery {
  list?: ListName;
  districts?: string[];
  sites?: string[];
  sensors?: string[];
  quantities?: string[];
  domains?: string[];
  /** SEARCH: without it Grafana does not ask again as somebody types. */
  search?: string;
}

/** What the query of a variable holds so that Grafana leaves the search to the data source. */
export const SEARCH = '$__searchFilter';

/** One line of a list, as the backend answers it. */
export interface Choice {
  value: string;
  label: string;
  description?: string;
  /** What it is offered under; without one it comes first. */
  group?: string;
  domain?: string;
  kind?: string;
  lon?: number;
  lat?: number;
}

export interface Choices {
  items: Choice[];
  total: number;
}

/** Settings of a data source. The address is its url; the token is in LamppostSecrets. */
export interface LamppostOptions extends DataSourceJsonData {
  /** Seconds that an answer may take. */
  timeout?: number;
  tlsAuth?: boolean;
  tlsAuthWithCACert?: boolean;
  tlsSkipVerify?: boolean;
  serverName?: string;
}

/** What Grafana keeps encrypted and only the backend sees. */
export interface LamppostSecrets {
  token?: string;
  tlsCACert?: string;
  tlsClientCert?: string;
  tlsClientKey?: string;
}
