// A sensor's own page: what it says now, how that grew, how complete it was, and what of it was refused.
import { useCallback, useEffect, useState } from 'react';
import { Link, useSearch } from '../app/router.tsx';
import { query } from '../api/client.ts';
import { useLive } from '../api/live.ts';
import { useResource } from '../api/resource.ts';
import type { District, List, Quantity, Quarantined, Reading, SensorDetail } from '../api/types.ts';
import { BackIcon, DomainIcon, StateMark } from '../parts/Icons.tsx';
import { Empty, Trouble, Waiting } from '../parts/Says.tsx';
import { QuarantineRow } from '../pipeline/QuarantineRow.tsx';
import { DOMAIN_TITLE, ownLast, STATE_TITLE, titleOf } from '../words/names.ts';
import { ago, everySpan, useNow, useTimes } from '../words/times.ts';
import { Completeness } from './Completeness.tsx';
import { QuantityPanel } from './QuantityPanel.tsx';
import { RANGES } from './ranges.ts';
import './sensor.css';

/** The newest of two lists of readings, by quantity and channel. */
export function newest(before: readonly Reading[], more: readonly Reading[]): Reading[] {
  const kept = new Map(before.map((r) => [`${r.quantity}/${r.channel}`, r]));
  for (const r of more) {
    const key = `${r.quantity}/${r.channel}`;
    const known = kept.get(key);
    if (known === undefined || r.time >= known.time) kept.set(key, r);
  }
  return [...kept.values()].sort((a, b) => a.channel.localeCompare(b.channel, undefined, { numeric: true }));
}

type Listeners = Map<string, Set<(readings: Reading[]) => void>>;

/** Live readings of a sensor: kept as its latest, and handed to the panels of their quantities. */
function useSensorLive(id: string) {
  const [latest, setLatest] = useState<Reading[]>([]);
  const [listeners] = useState<Listeners>(() => new Map());
  useLive(query('live', { sensor: id }), (batch) => {
    const own = batch.filter((r) => r.sensor === id);
    if (own.length === 0) return;
    setLatest((before) => newest(before, own));
    for (const [quantity, set] of listeners) {
      const readings = own.filter((r) => r.quantity === quantity);
      if (readings.length > 0) for (const listen of set) listen(readings);
    }
  });
  const onReadings = useCallback(
    (quantity: string, listen: (readings: Reading[]) => void) => {
      const set = listeners.get(quantity) ?? new Set();
      set.add(listen);
      listeners.set(quantity, set);
      return () => {
        set.delete(listen);
      };
    },
    [listeners],
  );
  return { latest, onReadings };
}

function Head({ sensor, seen }: { sensor: SensorDetail; seen: number | undefined }) {
  const now = useNow(1000);
  const times = useTimes();
  const districts = useResource<{ items: District[] }>('districts');
  const district = titleOf(sensor.district, districts.data?.items.find((d) => d.id === sensor.district)?.title);
  return (
    <div className="sensor-head">
      <div>
        <h1 tabIndex={-1}>{sensor.title || sensor.id}</h1>
        <p className="sensor-where">
          {sensor.site_title || sensor.site}
          {district !== '' && <>, {district}</>}
        </p>
      </div>
      <p className={`sensor-state is-${sensor.state}`}>
        <StateMark state={sensor.state} />
        <span>
          <strong>{STATE_TITLE[sensor.state]}</strong>
          {seen === undefined ? (
            <span className="quiet">Point it at city/{sensor.publisher || sensor.id}/readings and switch it on.</span>
          ) : (
            <span className="quiet" title={times.full(seen)}>
              last seen {ago(seen, now)}, {times.near(seen, now)}
            </span>
          )}
        </span>
      </p>
      <dl className="facts">
        <div>
          <dt>Id</dt>
          <dd>
            <code>{sensor.id}</code>
          </dd>
        </div>
        <div>
          <dt>Reports</dt>
          <dd>{everySpan(sensor.cadence_s)}</dd>
        </div>
        <div>
          <dt>Publisher</dt>
          <dd>{sensor.publisher === '' || sensor.publisher === sensor.id ? 'itself' : <code>{sensor.publisher}</code>}</dd>
        </div>
        <div>
          <dt>Domain</dt>
          <dd className="domains">
            {sensor.domains.map((d) => (
              <span key={d}>
                <DomainIcon domain={d} /> {DOMAIN_TITLE[d]}
              </span>
            ))}
          </dd>
        </div>
        {sensor.lat !== null && sensor.lon !== null && (
          <div>
            <dt>Latitude, longitude</dt>
            <dd>
              {sensor.lat.toFixed(5)}, {sensor.lon.toFixed(5)}
            </dd>
          </div>
        )}
      </dl>
    </div>
  );
}

function RangePicker({ value, change }: { value: string; change: (id: string) => void }) {
  return (
    <fieldset className="filter range">
      <legend className="hidden-text">Range of the charts</legend>
      {RANGES.map((r) => (
        <label key={r.id} className="filter-choice">
          <input type="radio" name="range" checked={r.id === value} onChange={() => change(r.id)} />
          <span>{r.title}</span>
        </label>
      ))}
    </fieldset>
  );
}

function OwnQuarantine({ id }: { id: string }) {
  const kept = useResource<List<Quarantined>>(query('quarantine', { sensor: id, limit: 100 }), 30_000);
  const own = (kept.data?.items ?? []).filter((i) => i.sensor === id);
  if (own.length === 0) return null;
  return (
    <section className="own-quarantine" aria-labelledby="own-quarantine-title">
      <h2 id="own-quarantine-title">In quarantine</h2>
      <ul className="quarantine-list">
        {own.slice(0, 20).map((item) => (
          <QuarantineRow key={item.id} item={item} />
        ))}
      </ul>
      <p>
        <Link to="/pipeline">Replay on the Pipeline page</Link>
      </p>
    </section>
  );
}

export function SensorPage({ id }: { id: string }) {
  const sensor = useResource<SensorDetail>(`sensors/${encodeURIComponent(id)}`, 15_000);
  const quantities = useResource<List<Quantity>>('quantities');
  const [search, change] = useSearch();
  const range = RANGES.find((r) => r.id === search.get('range')) ?? RANGES[0];
  const { latest, onReadings } = useSensorLive(id);
  const data = sensor.data;
  useEffect(() => {
    document.title = `${data?.title ?? id} · Lamppost`;
  }, [data?.title, id]);

  const all = newest(data?.latest ?? [], latest);
  const names = data === undefined ? [] : [...new Set([...data.quantities, ...all.map((r) => r.quantity)])];
  // Without the catalogue the order is not known, and panels would move under the reader's hand.
  const sorted = quantities.data !== undefined || quantities.fault !== undefined;
  const { measured, own } = ownLast(sorted ? names : [], quantities.data?.items ?? []);
  const seen = [data?.last_seen, ...latest.map((r) => r.time)].reduce<number | undefined>((last, t) => (t == null ? last : Math.max(last ?? 0, Date.parse(t))), undefined);
  const heard = latest.length > 0 && data !== undefined && data.state !== 'ok' ? { ...data, state: 'ok' as const } : data;
  const panel = (name: string) =>
    range !== undefined &&
    heard !== undefined && (
      <QuantityPanel key={name} sensor={id} name={name} quantity={quantities.data?.items.find((q) => q.name === name)} cadenceMs={heard.cadence_s * 1000} latest={all.filter((r) => r.quantity === name)} range={range} onReadings={onReadings} />
    );
  return (
    <main id="main" className="sheet sensor" tabIndex={-1}>
      <p className="back">
        <Link to="/sensors">
          <BackIcon /> Sensors
        </Link>
      </p>
      {heard === undefined && sensor.fault === undefined && <Waiting what="the sensor" lines={6} />}
      {heard === undefined && sensor.fault?.status === 404 && (
        <>
          <h1 tabIndex={-1}>{id}</h1>
          <Empty title="No such sensor is registered">
            <p>
              Look for it among the <Link to={`/sensors?q=${encodeURIComponent(id)}`}>sensors</Link>. If it reports without being registered, it is in <Link to="/pipeline?reason=unregistered">quarantine</Link>.
            </p>
          </Empty>
        </>
      )}
      {heard === undefined && sensor.fault !== undefined && sensor.fault.status !== 404 && <Trouble fault={sensor.fault} retry={sensor.reload} />}
      {heard !== undefined && (
        <>
          <Head sensor={heard} seen={seen} />
          <div className="range-bar">
            <RangePicker value={range?.id ?? '1h'} change={(r) => change({ range: r === '1h' ? '' : r })} />
          </div>
          {names.length === 0 && (
            <Empty title="It has no quantities yet">
              <p>They appear with its first readings.</p>
            </Empty>
          )}
          {measured.map(panel)}
          {measured.length > 0 && own.length > 0 && <h2 className="of-device">The device itself</h2>}
          {own.map(panel)}
          <Completeness id={id} />
          <OwnQuarantine id={id} />
        </>
      )}
    </main>
  );
}
