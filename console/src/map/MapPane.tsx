// The place of the map on the wall: map or list, the legend, and the site that was chosen.
import type { FeatureCollection } from 'geojson';
import { lazy, Suspense, useCallback, useMemo, useState } from 'react';
import { useScheme } from '../app/theme.ts';
import type { Kept } from '../api/resource.ts';
import { useResource } from '../api/resource.ts';
import type { Domain, List, Site } from '../api/types.ts';
import { STATES } from '../api/types.ts';
import { StateMark } from '../parts/Icons.tsx';
import { Answer, Waiting } from '../parts/Says.tsx';
import { STATE_TITLE } from '../words/names.ts';
import { SiteCard } from './SiteCard.tsx';
import { SiteList } from './SiteList.tsx';
import './map.css';

const CityMap = lazy(async () => ({ default: (await import('./CityMap.tsx')).CityMap }));

/** Can this device draw the map? */
function canDraw(): boolean {
  try {
    return document.createElement('canvas').getContext('webgl2') !== null;
  } catch {
    return false;
  }
}

interface MapPaneProps {
  kept: Kept<List<Site>> & { reload: () => void };
  domain: Domain | undefined;
  onLit: (listen: (sites: ReadonlySet<string>) => void) => () => void;
}

export function MapPane({ kept, domain, onLit }: MapPaneProps) {
  const [drawable, setDrawable] = useState(canDraw);
  const [asList, setAsList] = useState(false);
  const [chosen, setChosen] = useState<string>();
  const scheme = useScheme();
  const plan = useResource<FeatureCollection>('plan', 600_000);
  const failed = useCallback(() => setDrawable(false), []);
  const items = kept.data?.items;
  const sites = useMemo(() => (items ?? []).filter((s) => domain === undefined || s.domains.includes(domain)), [items, domain]);
  const site = sites.find((s) => s.id === chosen);
  const list = asList || !drawable;
  return (
    <div className="map-pane">
      <div className="map-bar">
        <ul className="legend" aria-label="What the marks mean">
          {STATES.map((s) => (
            <li key={s}>
              <StateMark state={s} />
              {STATE_TITLE[s]}
            </li>
          ))}
        </ul>
        {drawable ? (
          <fieldset className="filter">
            <legend className="hidden-text">Show the sites as</legend>
            <label className="filter-choice">
              <input type="radio" name="map-as" checked={!asList} onChange={() => setAsList(false)} />
              <span>Map</span>
            </label>
            <label className="filter-choice">
              <input type="radio" name="map-as" checked={asList} onChange={() => setAsList(true)} />
              <span>List</span>
            </label>
          </fieldset>
        ) : (
          <p className="quiet">This device cannot draw the map; the list says the same.</p>
        )}
      </div>
      <div className="map-body">
        <Answer kept={kept} what="the sites" lines={4}>
          {() =>
            // Sites and plan are drawn together; the plan is not waited for when it does not come.
            !list && plan.data === undefined && plan.fault === undefined ? (
              <Waiting what="the street plan" lines={1} />
            ) : list ? (
              <SiteList sites={sites} chosen={chosen} choose={setChosen} />
            ) : (
              <Suspense fallback={<Waiting what="the map" lines={1} />}>
                <CityMap plan={plan.data} sites={sites} scheme={scheme} chosen={chosen} choose={setChosen} onLit={onLit} failed={failed} />
              </Suspense>
            )
          }
        </Answer>
        {!list && plan.fault?.status === 404 && items !== undefined && (
          <p className="map-note">
            No street plan yet. Put one, as GeoJSON, with PUT /api/v1/plan.
          </p>
        )}
        {site !== undefined && <SiteCard site={site} close={() => setChosen(undefined)} />}
      </div>
    </div>
  );
}
