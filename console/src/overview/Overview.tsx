// The wall: the map of the city, its figures, what needs attention, and the pipeline in one line.
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from 'react';
import { useSearch } from '../app/router.tsx';
import { query } from '../api/client.ts';
import { useLive } from '../api/live.ts';
import { useResource } from '../api/resource.ts';
import type { District, Domain, Figure, List, Pipeline, Quantity, Reading, Sensor, Site } from '../api/types.ts';
import { DOMAINS } from '../api/types.ts';
import { DomainIcon } from '../parts/Icons.tsx';
import { Waiting } from '../parts/Says.tsx';
import { DOMAIN_TITLE } from '../words/names.ts';
import { Attention, type Counts, Headline } from './Attention.tsx';
import { byDistrict, Districts } from './Districts.tsx';
import { Figures } from './Figures.tsx';
import { Strip } from './Strip.tsx';

const MapPane = lazy(async () => ({ default: (await import('../map/MapPane.tsx')).MapPane }));

/** Up to this many sensors each reading lights up its site; above it the map would only flicker. */
const LIT_MAX = 600;

function useDomain(): [Domain | undefined, (d: Domain | undefined) => void] {
  const [search, change] = useSearch();
  const domain = DOMAINS.find((d) => d === search.get('domain'));
  const set = useCallback((d: Domain | undefined) => change({ domain: d ?? '' }), [change]);
  return [domain, set];
}

function useCounts(domain: Domain | undefined) {
  const all = useResource<List<Sensor>>(query('sensors', { domain, limit: 1 }), 15_000);
  const silent = useResource<List<Sensor>>(query('sensors', { domain, state: 'silent', limit: 200 }), 5000);
  const never = useResource<List<Sensor>>(query('sensors', { domain, state: 'never', limit: 1 }), 15_000);
  const total = all.data?.total;
  const counts = useMemo((): Counts | undefined => {
    if (total === undefined || silent.data === undefined || never.data === undefined) return undefined;
    return { total, silent: silent.data.total, never: never.data.total };
  }, [total, silent.data, never.data]);
  return { counts, silent, fault: all.fault };
}

/** Tells the map which sites have just reported. */
function useLitSites(total: number | undefined): (listen: (sites: ReadonlySet<string>) => void) => () => void {
  const small = total !== undefined && total > 0 && total <= LIT_MAX;
  const sensors = useResource<List<Sensor>>(small ? query('sensors', { limit: LIT_MAX }) : undefined, 120_000);
  const siteOf = useMemo(() => new Map((sensors.data?.items ?? []).map((s) => [s.id, s.site])), [sensors.data]);
  const [listeners] = useState(() => new Set<(sites: ReadonlySet<string>) => void>());
  useLive(small ? 'live' : undefined, (batch: Reading[]) => {
    const lit = new Set<string>();
    for (const r of batch) {
      const site = siteOf.get(r.sensor);
      if (site !== undefined) lit.add(site);
    }
    if (lit.size > 0) for (const listen of listeners) listen(lit);
  });
  return useCallback(
    (listen) => {
      listeners.add(listen);
      return () => listeners.delete(listen);
    },
    [listeners],
  );
}

function DomainFilter({ domain, set }: { domain: Domain | undefined; set: (d: Domain | undefined) => void }) {
  return (
    <fieldset className="filter">
      <legend className="hidden-text">Show the sensors of</legend>
      <label className="filter-choice">
        <input type="radio" name="domain" checked={domain === undefined} onChange={() => set(undefined)} />
        <span>All</span>
      </label>
      {DOMAINS.map((d) => (
        <label key={d} className="filter-choice">
          <input type="radio" name="domain" checked={domain === d} onChange={() => set(d)} />
          <span>
            <DomainIcon domain={d} />
            {DOMAIN_TITLE[d]}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

export function Overview() {
  const [domain, setDomain] = useDomain();
  const { counts, silent } = useCounts(domain);
  const figures = useResource<{ items: Figure[] }>('figures', 5000);
  const pipeline = useResource<Pipeline>('pipeline', 2000);
  const quantities = useResource<List<Quantity>>('quantities');
  const sites = useResource<List<Site>>('sites', (counts?.total ?? 0) > 2000 ? 60_000 : 10_000);
  const districts = useResource<{ items: District[] }>('districts', 600_000);
  const sums = useMemo(() => byDistrict(sites.data?.items ?? [], districts.data?.items ?? []), [sites.data, districts.data]);
  const onLit = useLitSites(counts?.total);
  const silentCount = counts?.silent ?? 0;
  useEffect(() => {
    document.title = `${silentCount > 0 ? `(${silentCount} silent) ` : ''}Overview · Lamppost`;
  }, [silentCount]);

  return (
    <main id="main" className="overview" tabIndex={-1}>
      <div className="overview-say">
        <Headline counts={counts} only={domain} />
        <DomainFilter domain={domain} set={setDomain} />
        <div className="say-scroll">
          <Attention silent={silent} counts={counts} pipeline={pipeline.data} only={domain} />
          {domain === undefined && <Districts sums={sums} />}
        </div>
      </div>
      <section className="overview-map" aria-labelledby="map-title">
        <h2 id="map-title" className="hidden-text">
          Map of the sites
        </h2>
        <Suspense fallback={<Waiting what="the map" lines={1} />}>
          <MapPane kept={sites} domain={domain} onLit={onLit} />
        </Suspense>
      </section>
      <Figures kept={figures} quantities={quantities.data} only={domain} />
      <Strip kept={pipeline} />
    </main>
  );
}
