// Every sensor of the city: searched, filtered, a page at a time.
import { useEffect, useState } from 'react';
import { Link, navigate, sensorPath, useSearch } from '../app/router.tsx';
import { query } from '../api/client.ts';
import { useResource } from '../api/resource.ts';
import type { District, Domain, List, Quantity, Sensor } from '../api/types.ts';
import { DOMAINS, STATES } from '../api/types.ts';
import { NoSensors } from '../overview/Attention.tsx';
import { Aged } from '../parts/Aged.tsx';
import { DomainIcon, SearchIcon, StateMark } from '../parts/Icons.tsx';
import { Pager } from '../parts/Pager.tsx';
import { Answer, Empty } from '../parts/Says.tsx';
import { useSettled } from '../parts/useSettled.ts';
import { DOMAIN_TITLE, STATE_TITLE, titleOf } from '../words/names.ts';
import { count, whole } from '../words/numbers.ts';
import { ago, useNow, useTimes } from '../words/times.ts';
import './sensors.css';

const LIMIT = 50;
const TYPING_MS = 250;

interface Filters {
  q: string;
  domain: string;
  district: string;
  state: string;
  offset: string;
}

const KEYS = ['q', 'domain', 'district', 'state', 'offset'] as const;

function useFilters(): [Filters, (changes: Partial<Filters>) => void] {
  const [search, change] = useSearch();
  const filters = Object.fromEntries(KEYS.map((k) => [k, search.get(k) ?? ''])) as unknown as Filters;
  // Another filter starts at the first page again.
  return [filters, (changes) => change({ offset: '', ...changes })];
}

/** Text that is typed: shown at once, asked for after a pause. */
function SearchBox({ value, change }: { value: string; change: (q: string) => void }) {
  const [typed, setTyped] = useState(value);
  const [before, setBefore] = useState(value);
  if (before !== value) {
    // Changed from outside: by "show every sensor", or by going back.
    setBefore(value);
    setTyped(value);
  }
  useEffect(() => {
    if (typed === value) return;
    const timer = setTimeout(() => change(typed), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, value, change]);
  return (
    <label className="search">
      <span className="label">Search</span>
      <span className="search-box">
        <SearchIcon />
        <input type="search" value={typed} onChange={(e) => setTyped(e.target.value)} placeholder="Name, id or site" spellCheck={false} autoComplete="off" />
      </span>
    </label>
  );
}

interface SelectProps {
  label: string;
  value: string;
  all: string;
  options: readonly { value: string; title: string }[];
  change: (value: string) => void;
}

function Select({ label, value, all, options, change }: SelectProps) {
  return (
    <label className="select">
      <span className="label">{label}</span>
      <select value={value} onChange={(e) => change(e.target.value)}>
        <option value="">{all}</option>
        {options.map((o) => (
          <option key={o.value} value={o.value}>
            {o.title}
          </option>
        ))}
      </select>
    </label>
  );
}

function Row({ sensor, titles, districts }: { sensor: Sensor; titles: Map<string, string>; districts: Map<string, string> }) {
  const now = useNow(1000);
  const times = useTimes();
  const seen = sensor.last_seen === null ? undefined : Date.parse(sensor.last_seen);
  return (
    <tr role="row" className={`sensor-row is-${sensor.state}`}>
      <td role="cell" className="cell-state">
        <span className="state">
          <StateMark state={sensor.state} />
          {STATE_TITLE[sensor.state]}
        </span>
      </td>
      <th role="rowheader" scope="row" className="cell-title">
        <Link to={sensorPath(sensor.id)}>{sensor.title || sensor.id}</Link>
        <code className="quiet">{sensor.id}</code>
      </th>
      <td role="cell" className="cell-site">
        {sensor.site_title || sensor.site}
        <span className="quiet">{titleOf(sensor.district, districts.get(sensor.district))}</span>
      </td>
      <td role="cell" className="cell-quantities">
        <span className="domains">
          {sensor.domains.map((d) => (
            <span key={d} title={DOMAIN_TITLE[d]}>
              <DomainIcon domain={d} />
              <span className="hidden-text">{DOMAIN_TITLE[d]}: </span>
            </span>
          ))}
        </span>
        <span>{sensor.quantities.map((q) => titles.get(q) ?? q).join(', ')}</span>
      </td>
      <td role="cell" className="cell-seen">
        {seen === undefined ? (
          <span className="quiet">not yet</span>
        ) : (
          <time dateTime={sensor.last_seen ?? ''} title={times.full(seen)}>
            {ago(seen, now)}
            <span className="quiet">{times.near(seen, now)}</span>
          </time>
        )}
      </td>
    </tr>
  );
}

function Table({ list, titles, districts }: { list: List<Sensor>; titles: Map<string, string>; districts: Map<string, string> }) {
  // The roles are said again because the narrow form, cards, takes the table's display away, and the roles with it.
  return (
    <table role="table" className="sensor-table">
      <caption className="hidden-text">Sensors with their state, site, quantities and when they were last seen</caption>
      <thead role="rowgroup">
        <tr role="row">
          {['State', 'Sensor', 'Site', 'Measures', 'Last seen'].map((h) => (
            <th key={h} role="columnheader" scope="col">
              {h}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {list.items.map((s) => (
          <Row key={s.id} sensor={s} titles={titles} districts={districts} />
        ))}
      </tbody>
    </table>
  );
}

export function Sensors() {
  const [filters, change] = useFilters();
  const offset = Number(filters.offset) || 0;
  const list = useResource<List<Sensor>>(query('sensors', { ...filters, offset: offset === 0 ? undefined : offset, limit: LIMIT }), 5000);
  const districts = useResource<{ items: District[] }>('districts');
  const quantities = useResource<List<Quantity>>('quantities');
  const filtered = filters.q !== '' || filters.domain !== '' || filters.district !== '' || filters.state !== '';
  const said = useSettled(list.data === undefined ? '' : count(list.data.total, 'sensor'), 1000);
  const [setQ] = useState(() => (q: string) => {
    const search = new URLSearchParams(location.search);
    if (q === '') search.delete('q');
    else search.set('q', q);
    search.delete('offset');
    navigate(`/sensors${search.size > 0 ? `?${search.toString()}` : ''}`, true);
  });
  useEffect(() => {
    document.title = 'Sensors · Lamppost';
  }, []);

  const titles = new Map((quantities.data?.items ?? []).map((q) => [q.name, q.title]));
  const districtTitles = new Map((districts.data?.items ?? []).map((d) => [d.id, d.title]));
  return (
    <main id="main" className="sheet" tabIndex={-1}>
      <div className="page-head">
        <h1 tabIndex={-1}>Sensors</h1>
        {list.data !== undefined && <p className="page-count">{filtered ? `${whole(list.data.total)} found` : whole(list.data.total)}</p>}
        <a className="button" href="/api/v1/sensors/export" download>
          Export as CSV
        </a>
      </div>
      <search className="filters">
        <SearchBox value={filters.q} change={setQ} />
        <Select label="State" value={filters.state} all="Every state" options={STATES.map((s) => ({ value: s, title: STATE_TITLE[s] }))} change={(state) => change({ state })} />
        <Select label="Domain" value={filters.domain} all="Every domain" options={DOMAINS.map((d: Domain) => ({ value: d, title: DOMAIN_TITLE[d] }))} change={(domain) => change({ domain })} />
        <Select label="District" value={filters.district} all="Every district" options={(districts.data?.items ?? []).map((d) => ({ value: d.id, title: titleOf(d.id, d.title) }))} change={(district) => change({ district })} />
      </search>
      <p className="hidden-text" role="status">
        {said}
      </p>
      <Answer kept={list} what="the sensors" lines={10}>
        {(data) =>
          data.items.length === 0 ? (
            filtered || offset > 0 ? (
              <Empty title="No sensor fits">
                <p>Take a filter away, or look for fewer letters.</p>
                <button type="button" className="button" onClick={() => change({ q: '', state: '', domain: '', district: '' })}>
                  Show every sensor
                </button>
              </Empty>
            ) : (
              <NoSensors />
            )
          ) : (
            <Aged at={list.at} limitMs={20_000}>
              <Table list={data} titles={titles} districts={districtTitles} />
              <Pager offset={offset} limit={LIMIT} total={data.total} what="sensors" go={(o) => change({ offset: o === 0 ? '' : String(o) })} />
            </Aged>
          )
        }
      </Answer>
    </main>
  );
}
