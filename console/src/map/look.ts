// How the map looks: the street plan below, the sites above. Everything it draws comes from this host; labels are drawn
// with the fonts of the device.
import type { FeatureCollection } from 'geojson';
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from 'maplibre-gl';
import { type Palette, RING_PARTS } from './marks.ts';

export const SITES = 'sites';
const FONT = ['Liberation Sans', 'Helvetica Neue', 'Segoe UI', 'Roboto', 'Noto Sans', 'sans-serif'];
const BOLD = ['Liberation Sans Bold', 'sans-serif'];

const ofKind = (kind: string): ExpressionSpecification => ['==', ['get', 'kind'], kind];
/** Wider with the zoom, and with the size of the text on the page: a wall is seen from afar. */
const wide = (far: number, near: number, scale: number): ExpressionSpecification => ['interpolate', ['exponential', 1.6], ['zoom'], 11, far * scale, 17, near * scale];

function planLayers(c: Palette, scale: number): LayerSpecification[] {
  const main: ExpressionSpecification = ['all', ofKind('street'), ['in', ['coalesce', ['get', 'class'], ['get', 'rank'], ''], ['literal', ['main', 'primary', 'avenue', 'ring', 'arterial']]]];
  const minor: ExpressionSpecification = ['all', ofKind('street'), ['!', main]];
  return [
    { id: 'land', type: 'background', paint: { 'background-color': c.land } },
    { id: 'town', type: 'fill', source: 'plan', filter: ofKind('district'), paint: { 'fill-color': c.town } },
    { id: 'park', type: 'fill', source: 'plan', filter: ofKind('park'), paint: { 'fill-color': c.park } },
    { id: 'water', type: 'fill', source: 'plan', filter: ['all', ofKind('water'), ['!=', ['geometry-type'], 'LineString']], paint: { 'fill-color': c.water } },
    { id: 'stream', type: 'line', source: 'plan', filter: ['all', ofKind('water'), ['==', ['geometry-type'], 'LineString']], paint: { 'line-color': c.water, 'line-width': wide(3, 40, scale) } },
    { id: 'district', type: 'line', source: 'plan', filter: ofKind('district'), paint: { 'line-color': c.district, 'line-width': 1.2 * scale, 'line-dasharray': [2, 3] } },
    { id: 'street-minor-edge', type: 'line', source: 'plan', filter: minor, minzoom: 13.5, layout: { 'line-cap': 'round', 'line-join': 'round' }, paint: { 'line-color': c.streetEdge, 'line-width': wide(1.6, 16, scale) } },
    { id: 'street-main-edge', type: 'line', source: 'plan', filter: main, layout: { 'line-cap': 'round', 'line-join': 'round' }, paint: { 'line-color': c.streetEdge, 'line-width': wide(3, 26, scale) } },
    { id: 'street-minor', type: 'line', source: 'plan', filter: minor, layout: { 'line-cap': 'round', 'line-join': 'round' }, paint: { 'line-color': c.street, 'line-width': wide(0.9, 13, scale) } },
    { id: 'street-main', type: 'line', source: 'plan', filter: main, layout: { 'line-cap': 'round', 'line-join': 'round' }, paint: { 'line-color': c.street, 'line-width': wide(2, 22, scale) } },
  ];
}

/** Places for a name around the middle of its area, the nearest first, in ems. */
const around = (...distances: number[]) =>
  [0, ...distances].flatMap((far): (string | [number, number])[] =>
    far === 0 ? ['center', [0, 0]] : Array.from({ length: 16 }, (_, i) => (i * Math.PI) / 8).flatMap((turn) => ['center', [Math.cos(turn) * far * 1.2, Math.sin(turn) * far]]),
  );

/** Where the name of a district may stand: the nearest place that no mark takes, but not far off where the city is small. */
const NAME_PLACES: ExpressionSpecification = ['step', ['zoom'], ['literal', around(0.8, 1.6)], 12.6, ['literal', around(0.8, 1.6, 2.4, 3.2, 4, 4.8)]];

function labelLayers(c: Palette, scale: number): LayerSpecification[] {
  const halo = { 'text-halo-color': c.town, 'text-halo-width': 1.6 * scale };
  return [
    {
      id: 'water-name',
      type: 'symbol',
      source: 'names',
      filter: ofKind('water'),
      minzoom: 11,
      layout: { 'text-field': ['get', 'name'], 'text-font': FONT, 'text-size': 13 * scale, 'text-letter-spacing': 0.2, 'text-variable-anchor': ['center', 'top', 'bottom'], 'text-radial-offset': 1 },
      paint: { 'text-color': c.waterLabel, 'text-halo-color': c.water, 'text-halo-width': 1 },
    },
    {
      id: 'street-name',
      type: 'symbol',
      source: 'plan',
      filter: ofKind('street'),
      minzoom: 14.5,
      layout: { 'symbol-placement': 'line', 'text-field': ['get', 'name'], 'text-font': FONT, 'text-size': 11.5 * scale, 'symbol-spacing': 420 },
      paint: { 'text-color': c.label, 'text-halo-color': c.street, 'text-halo-width': 1.4 * scale },
    },
    {
      id: 'district-name',
      type: 'symbol',
      source: 'names',
      filter: ofKind('district'),
      maxzoom: 15.5,
      layout: { 'text-field': ['upcase', ['coalesce', ['get', 'name'], ['get', 'title'], '']], 'text-font': BOLD, 'text-size': 11.5 * scale, 'text-letter-spacing': 0.16, 'text-max-width': 8, 'text-padding': 1, 'text-variable-anchor-offset': NAME_PLACES },
      paint: { 'text-color': c.label, ...halo },
    },
  ];
}

const CLUSTER: ExpressionSpecification = ['has', 'point_count'];
/** How many of the RING_PARTS parts of a cluster's ring are silent: any silent sensor is at least one. */
const SHARE: ExpressionSpecification = ['ceil', ['*', RING_PARTS, ['/', ['get', 'silent'], ['max', 1, ['get', 'sensors']]]]];

function siteLayers(c: Palette, scale: number): LayerSpecification[] {
  const grown = (small: number, large: number): ExpressionSpecification => ['interpolate', ['linear'], ['sqrt', ['get', 'point_count']], 1.4, small, 30, large];
  const swell: ExpressionSpecification = ['interpolate', ['linear'], ['zoom'], 11, 0.62, 14, 0.86, 17, 1.15];
  return [
    {
      id: 'lit',
      type: 'circle',
      source: SITES,
      filter: ['!', CLUSTER],
      paint: {
        'circle-color': c.ok,
        'circle-radius': ['+', 6 * scale, ['*', 13 * scale, ['-', 1, ['coalesce', ['feature-state', 'lit'], 0]]]],
        'circle-opacity': ['*', 0.42, ['coalesce', ['feature-state', 'lit'], 0]],
      },
    },
    {
      id: 'chosen',
      type: 'circle',
      source: SITES,
      filter: ['==', ['get', 'id'], ''],
      paint: { 'circle-color': c.lamp, 'circle-opacity': 0.35, 'circle-radius': 20 * scale, 'circle-stroke-color': c.ink, 'circle-stroke-width': 2.5 * scale },
    },
    {
      id: 'cluster',
      type: 'symbol',
      source: SITES,
      filter: CLUSTER,
      layout: {
        'icon-image': ['concat', 'ring-', ['to-string', SHARE]],
        'icon-size': grown(0.5, 1.15),
        'icon-allow-overlap': true,
        'text-field': ['get', 'point_count_abbreviated'],
        'text-font': BOLD,
        'text-size': 12.5 * scale,
        'text-allow-overlap': true,
        'symbol-sort-key': ['get', 'silent'],
      },
      paint: { 'text-color': c.ink },
    },
    {
      id: 'site',
      type: 'symbol',
      source: SITES,
      filter: ['!', CLUSTER],
      layout: {
        'icon-image': ['concat', 'site-', ['get', 'state']],
        'icon-size': swell,
        'icon-allow-overlap': true,
        'symbol-sort-key': ['match', ['get', 'state'], 'silent', 3, 'never', 1, 2],
      },
    },
  ];
}

/** What the map shows: the plan, the places of its names, and the sites. */
export interface Shown {
  plan: FeatureCollection;
  names: FeatureCollection;
  sites: FeatureCollection;
}

/** The whole style. clustered: sites close together are drawn as one. */
export function look(c: Palette, scale: number, clustered: boolean, shown: Shown): StyleSpecification {
  return {
    version: 8,
    sources: {
      plan: { type: 'geojson', data: shown.plan, tolerance: 0.2 },
      names: { type: 'geojson', data: shown.names },
      [SITES]: {
        type: 'geojson',
        data: shown.sites,
        promoteId: 'id',
        cluster: clustered,
        clusterRadius: 46 * scale,
        clusterMaxZoom: 15,
        clusterProperties: { silent: ['+', ['get', 'silent']], sensors: ['+', ['get', 'sensors']] },
      },
    },
    layers: [...planLayers(c, scale), ...labelLayers(c, scale), ...siteLayers(c, scale)],
  };
}
