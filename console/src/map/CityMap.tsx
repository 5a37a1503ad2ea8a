// The map itself. It is loaded after the text of the page, and only where the device can draw it; the list of sites
// beside it says the same.
import 'maplibre-gl/dist/maplibre-gl.css';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url';
import { type GeoJSONSource, MapLibreMap, type MapMouseEvent, setWorkerCount, setWorkerUrl } from 'maplibre-gl';
import type { Feature, FeatureCollection, Point, Position } from 'geojson';
import { useEffect, useRef, useState } from 'react';
import type { Site } from '../api/types.ts';
import { STATES } from '../api/types.ts';
import { FitIcon, MinusIcon, PlusIcon } from '../parts/Icons.tsx';
import { STATE_TITLE } from '../words/names.ts';
import { count } from '../words/numbers.ts';
import { look, SITES } from './look.ts';
import { drawMark, drawRing, type Mark, palette, RING_PARTS } from './marks.ts';
import { namePoints } from './names.ts';

// A file of this host, not a blob: the page's policy allows scripts from here alone.
setWorkerUrl(workerUrl);
setWorkerCount(1);

/** Above this many sites those close together are drawn as one. */
const CLUSTER_ABOVE = 300;
const LIT_MS = 1400;
const LIT_FRAME_MS = 40;

interface CityMapProps {
  plan: FeatureCollection | undefined;
  sites: readonly Site[];
  scheme: 'light' | 'dark';
  chosen: string | undefined;
  choose: (site: string | undefined) => void;
  onLit: (listen: (sites: ReadonlySet<string>) => void) => () => void;
  failed: () => void;
}

const features = (sites: readonly Site[]): FeatureCollection<Point> => ({
  type: 'FeatureCollection',
  features: sites.map((s): Feature<Point> => ({ type: 'Feature', properties: { id: s.id, title: s.title, state: s.state, sensors: s.sensors, silent: s.silent }, geometry: { type: 'Point', coordinates: [s.lon, s.lat] } })),
});

type Box = [number, number, number, number];

function around(box: Box, [lon, lat]: Position): Box {
  if (lon === undefined || lat === undefined) return box;
  return [Math.min(box[0], lon), Math.min(box[1], lat), Math.max(box[2], lon), Math.max(box[3], lat)];
}

/** The box of the sites; where they are few, of the districts too. */
function boxOf(sites: readonly Site[], plan: FeatureCollection | undefined): Box | undefined {
  let box: Box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const s of sites) box = around(box, [s.lon, s.lat]);
  for (const f of plan?.features ?? []) {
    if (f.properties?.kind !== 'district' || f.geometry.type !== 'Polygon') continue;
    for (const p of f.geometry.coordinates[0] ?? []) box = around(box, p);
  }
  return Number.isFinite(box[0]) ? box : undefined;
}

/** How much larger the page's text is than on a desk: the marks grow with it. */
const pageScale = () => Math.max(1, Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16);

function addMarks(map: MapLibreMap, scale: number): void {
  const colours = palette();
  const ratio = Math.max(2, window.devicePixelRatio);
  const add = (name: string, mark: Mark | undefined): void => {
    if (mark !== undefined && !map.hasImage(name)) map.addImage(name, mark, { pixelRatio: ratio });
  };
  for (const state of STATES) add(`site-${state}`, drawMark(state, colours, 30 * scale, ratio));
  for (let parts = 0; parts <= RING_PARTS; parts++) add(`ring-${parts}`, drawRing(parts, colours, 60 * scale, ratio));
}

interface Start {
  plan: FeatureCollection | undefined;
  sites: readonly Site[];
  clustered: boolean;
}

const NOTHING: FeatureCollection = { type: 'FeatureCollection', features: [] };

function makeMap(holder: HTMLElement, { plan, sites, clustered }: Start): MapLibreMap {
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const scale = pageScale();
  const bounds = boxOf(sites, plan);
  const map = new MapLibreMap({
    container: holder,
    style: look(palette(), scale, clustered, { plan: plan ?? NOTHING, names: plan === undefined ? NOTHING : namePoints(plan), sites: features(sites) }),
    ...(bounds === undefined ? {} : { bounds, fitBoundsOptions: { padding: 24 * scale, maxZoom: 16 } }),
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    maxPitch: 0,
    minZoom: 8,
    maxZoom: 18,
    fadeDuration: still ? 0 : 200,
    // On a phone one finger scrolls the page and two move the map.
    cooperativeGestures: matchMedia('(pointer: coarse)').matches,
    locale: { 'Map.Title': 'Map of the sites. The arrow keys move it, plus and minus zoom. The list says the same.' },
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.on('style.load', () => addMarks(map, scale));
  return map;
}

/** Lets the marks of sites glow for a moment; gives a function that stops it. */
function lighting(map: MapLibreMap, onLit: CityMapProps['onLit']): () => void {
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return () => undefined;
  const since = new Map<string, number>();
  let frame = 0;
  let drawn = 0;
  const draw = (now: number): void => {
    frame = since.size > 0 ? requestAnimationFrame(draw) : 0;
    if (now - drawn < LIT_FRAME_MS) return;
    drawn = now;
    for (const [id, start] of since) {
      const left = 1 - (now - start) / LIT_MS;
      map.setFeatureState({ source: SITES, id }, { lit: Math.max(0, left) });
      if (left <= 0) since.delete(id);
    }
  };
  const stop = onLit((sites) => {
    if (document.hidden || map.getSource(SITES) === undefined) return;
    const now = performance.now();
    for (const id of sites) since.set(id, now);
    if (frame === 0) frame = requestAnimationFrame(draw);
  });
  return () => {
    stop();
    cancelAnimationFrame(frame);
  };
}

interface Hover {
  x: number;
  y: number;
  text: string;
}

export function CityMap({ plan, sites, scheme, chosen, choose, onLit, failed }: CityMapProps) {
  const holder = useRef<HTMLDivElement>(null);
  const [map, setMap] = useState<MapLibreMap>();
  const [drawn, setDrawn] = useState(false);
  const [hover, setHover] = useState<Hover>();
  const clustered = sites.length > CLUSTER_ABOVE;
  const latest = useRef({ choose, plan, sites, clustered });
  useEffect(() => {
    latest.current = { choose, plan, sites, clustered };
  });

  useEffect(() => {
    if (holder.current === null) return;
    let made: MapLibreMap;
    try {
      made = makeMap(holder.current, latest.current);
    } catch {
      failed();
      return;
    }
    made.on('style.load', () => setMap(made));
    const dark = lighting(made, onLit);
    made.once('idle', () => setDrawn(true));
    const stop = listen(made, (id) => latest.current.choose(id), setHover);
    return () => {
      stop();
      dark();
      setMap(undefined);
      setDrawn(false);
      made.remove();
    };
  }, [clustered, scheme, failed, onLit]);

  useEffect(() => {
    if (map === undefined || plan === undefined) return;
    void map.getSource<GeoJSONSource>('plan')?.setData(plan);
    void map.getSource<GeoJSONSource>('names')?.setData(namePoints(plan));
  }, [map, plan]);

  useEffect(() => {
    void map?.getSource<GeoJSONSource>(SITES)?.setData(features(sites));
  }, [map, sites]);

  // The plan may come after the sites: then the view is widened to it, once.
  const planned = plan !== undefined;
  const seen = useRef(planned);
  useEffect(() => {
    if (map === undefined || !planned || seen.current) return;
    seen.current = true;
    const box = boxOf(latest.current.sites, latest.current.plan);
    if (box !== undefined) map.fitBounds(box, { padding: 24 * pageScale(), maxZoom: 16, animate: false });
  }, [map, planned]);

  useEffect(() => {
    if (map === undefined) return;
    map.setFilter('chosen', ['==', ['get', 'id'], chosen ?? '']);
  }, [map, chosen]);

  const fit = (): void => {
    const box = boxOf(sites, plan);
    if (box !== undefined) map?.fitBounds(box, { padding: 24 * pageScale(), maxZoom: 16 });
  };

  return (
    <div className="city-map">
      <div ref={holder} className="city-map-canvas" data-drawn={drawn} />
      {hover !== undefined && (
        <p className="map-hover" style={{ left: hover.x, top: hover.y }} aria-hidden="true">
          {hover.text}
        </p>
      )}
      <div className="map-buttons" role="group" aria-label="Map">
        <button type="button" className="icon-button" aria-label="Zoom in" onClick={() => map?.zoomIn()}>
          <PlusIcon />
        </button>
        <button type="button" className="icon-button" aria-label="Zoom out" onClick={() => map?.zoomOut()}>
          <MinusIcon />
        </button>
        <button type="button" className="icon-button" aria-label="Show the whole city" onClick={fit}>
          <FitIcon />
        </button>
      </div>
    </div>
  );
}

/** What the pointer does on the map. */
function listen(map: MapLibreMap, choose: (id: string | undefined) => void, setHover: (h: Hover | undefined) => void): () => void {
  const at = (event: MapMouseEvent) => {
    if (map.getLayer('site') === undefined) return undefined;
    const { x, y } = event.point;
    return map.queryRenderedFeatures([[x - 6, y - 6], [x + 6, y + 6]], { layers: ['site', 'cluster'] })[0];
  };
  const click = (event: MapMouseEvent): void => {
    const feature = at(event);
    if (feature === undefined) return choose(undefined);
    if (feature.properties.cluster !== true) return choose(String(feature.properties.id));
    const source = map.getSource<GeoJSONSource>(SITES);
    const [lon = 0, lat = 0] = (feature.geometry as Point).coordinates;
    void source?.getClusterExpansionZoom(Number(feature.properties.cluster_id)).then((zoom) => map.easeTo({ center: [lon, lat], zoom: Math.min(zoom + 0.3, 17) }));
  };
  const move = (event: MapMouseEvent): void => {
    const feature = at(event);
    map.getCanvas().style.cursor = feature === undefined ? '' : 'pointer';
    if (feature === undefined) return setHover(undefined);
    const p = feature.properties;
    const silent = Number(p.silent);
    const text =
      p.cluster === true
        ? `${count(Number(p.point_count), 'site')}${silent > 0 ? `, ${count(silent, 'sensor')} silent` : ''}`
        : `${String(p.title || p.id)}: ${p.state === 'silent' ? `${silent} of ${count(Number(p.sensors), 'sensor')} silent` : STATE_TITLE[p.state as Site['state']].toLowerCase()}`;
    setHover({ x: event.point.x, y: event.point.y, text });
  };
  const leave = (): void => setHover(undefined);
  map.on('click', click);
  map.on('mousemove', move);
  map.on('mouseout', leave);
  return () => {
    map.off('click', click);
    map.off('mousemove', move);
    map.off('mouseout', leave);
  };
}
